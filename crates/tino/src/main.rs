//! The `tino` program: the entry point, the memory functions that the compiler calls, and the
//! panic handler, around the library of the same name.

#![no_std]
#![no_main]
#![allow(unsafe_code)]

use core::arch::{asm, naked_asm};
use core::ffi::c_char;

use tino::log::print_plain;
use tino::sys::{self, Image, Texts};
use tino::texts::Message;

/// Where the kernel starts the program: the argument count, the arguments and the environment
/// are on the stack (the x86-64 psABI, 3.4.1).
#[unsafe(no_mangle)]
#[unsafe(naked)]
extern "C" fn _start() -> ! {
    naked_asm!("mov rdi, rsp", "and rsp, -16", "call {enter}", "ud2", enter = sym enter)
}

unsafe extern "C" fn enter(stack: *mut usize) -> ! {
    // SAFETY: `_start` passes what the kernel laid out: a count, that many arguments, null, the
    // environment, null. Nothing else in this program knows of these arrays.
    let (arguments, environment) = unsafe {
        let count = *stack;
        let arguments = stack.add(1).cast::<*mut c_char>();
        (Texts::new(arguments), Texts::new(arguments.add(count + 1)))
    };
    // SAFETY: `tino.ld` defines both, at the beginning of pages of the one read-only segment.
    let start_up = unsafe { Image::new(&raw const START_UP, &raw const END) };
    sys::exit(tino::run(arguments, environment, start_up))
}

unsafe extern "C" {
    /// Where the part of the program begins that is not used while it sleeps and wakes.
    static START_UP: u8;
    /// Where the program ends.
    static END: u8;
}

/// # Safety
///
/// As for C's `memcpy`.
#[unsafe(no_mangle)]
unsafe extern "C" fn memcpy(to: *mut u8, from: *const u8, count: usize) -> *mut u8 {
    // SAFETY: the caller's promise. An instruction rather than a loop, which the compiler would
    // turn into a call of this very function.
    unsafe {
        asm!("rep movsb", inout("rdi") to => _, inout("rsi") from => _, inout("rcx") count => _, options(nostack));
    }
    to
}

/// # Safety
///
/// As for C's `memmove`.
#[unsafe(no_mangle)]
unsafe extern "C" fn memmove(to: *mut u8, from: *const u8, count: usize) -> *mut u8 {
    if to.cast_const() <= from || count == 0 {
        // SAFETY: the same promise, and going forward each byte is read before it is written.
        return unsafe { memcpy(to, from, count) };
    }
    // SAFETY: the caller's promise; see `memcpy`. From the last byte to the first.
    unsafe {
        asm!("std", "rep movsb", "cld", inout("rdi") to.add(count - 1) => _, inout("rsi") from.add(count - 1) => _, inout("rcx") count => _, options(nostack));
    }
    to
}

/// # Safety
///
/// As for C's `memset`.
#[unsafe(no_mangle)]
unsafe extern "C" fn memset(to: *mut u8, byte: i32, count: usize) -> *mut u8 {
    // SAFETY: the caller's promise; see `memcpy`.
    unsafe {
        asm!("rep stosb", inout("rdi") to => _, in("al") byte as u8, inout("rcx") count => _, options(nostack));
    }
    to
}

/// # Safety
///
/// As for C's `memcmp`.
#[unsafe(no_mangle)]
unsafe extern "C" fn memcmp(left: *const u8, right: *const u8, count: usize) -> i32 {
    let (above, below): (i32, i32);
    // SAFETY: the caller's promise; see `memcpy`. `xor` leaves "equal" behind for a count of 0.
    unsafe {
        asm!(
            "xor eax, eax",
            "xor edx, edx",
            "repe cmpsb",
            "seta al",
            "setb dl",
            inout("rsi") left => _,
            inout("rdi") right => _,
            inout("rcx") count => _,
            out("eax") above,
            out("edx") below,
            options(nostack, readonly),
        );
    }
    above - below
}

/// # Safety
///
/// As for C's `bcmp`.
#[unsafe(no_mangle)]
unsafe extern "C" fn bcmp(left: *const u8, right: *const u8, count: usize) -> i32 {
    // SAFETY: the caller's promise is the same.
    unsafe { memcmp(left, right, count) }
}

/// # Safety
///
/// As for C's `strlen`.
#[unsafe(no_mangle)]
unsafe extern "C" fn strlen(text: *const u8) -> usize {
    let rest: usize;
    // SAFETY: the caller's promise; see `memcpy`.
    unsafe {
        asm!("repne scasb", inout("rdi") text => _, inout("rcx") usize::MAX => rest, in("al") 0u8, options(nostack, readonly));
    }
    !rest - 1
}

/// A panic is a bug of ours: the number tells it from any program's exit.
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    print_plain(2, Message::INTERNAL_ERROR);
    sys::exit(255)
}

/// Named by the parts of `core` that are linked without optimization; nothing unwinds.
#[unsafe(no_mangle)]
extern "C" fn rust_eh_personality() {}
