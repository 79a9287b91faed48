//! What a program does before the C library starts.
//!
//! Nothing of the C library works yet, not even `memcpy`: the functions that fit this processor are
//! only chosen by its start. So this reads byte by byte, in a way that the compiler may not turn
//! into a call, and has system calls of its own.

#![allow(unsafe_code)]

use core::arch::asm;

/// Makes the linker's entry point `begin_early`, which executes the program again from a read-only
/// mount of its file, if one of its words is among `$words`, and else goes on to the C library's
/// start. `-Wl,--entry=begin_early` makes it the first to run.
///
/// It is a short cut and no more: whoever needs the program to be out of reach (CVE-2019-5736) asks
/// again, and does the same if this did nothing. It spares the first of the two programs its start,
/// some 20 system calls and twice as many page faults.
#[macro_export]
macro_rules! early_entry {
    ($words:expr) => {
        /// Where the kernel starts the program: the x86-64 psABI, 3.4.1.
        #[allow(unsafe_code)]
        #[unsafe(no_mangle)]
        #[unsafe(naked)]
        extern "C" fn begin_early() -> ! {
            // rdx is for the C library, and rbx survives the call.
            core::arch::naked_asm!(
                "mov rbx, rdx",
                "mov rdi, rsp",
                "call {early}",
                "mov rdx, rbx",
                "jmp _start",
                early = sym early,
            )
        }

        /// # Safety
        /// `stack` is what the kernel laid out.
        #[allow(unsafe_code)]
        unsafe extern "C" fn early(stack: *const usize) {
            // SAFETY: the caller's promise.
            unsafe { $crate::early::execute_from_read_only_mount(stack, $words) }
        }
    };
}

/// See [`early_entry`]. It returns if it is not to be done, or cannot be.
///
/// # Safety
/// `stack` is what the kernel hands to a new program: the number of arguments, these, null, the
/// environment, null, and the auxiliary vector.
#[inline]
pub unsafe fn execute_from_read_only_mount(stack: *const usize, words: &[&[u8]]) {
    // SAFETY: the caller's promise.
    let (count, arguments) = unsafe { (*stack, stack.add(1).cast::<*const u8>()) };
    // SAFETY: null follows the arguments.
    let environment = unsafe { arguments.add(count + 1) };
    let is_meant = (1..count).any(|index| {
        // SAFETY: there are `count` of them, each a C string.
        words.iter().any(|word| unsafe { is(*arguments.add(index), word) })
    });
    // SAFETY: `environment` ends with null, and the auxiliary vector follows.
    if !is_meant || unsafe { is_from_descriptor(environment) } {
        return;
    }
    let file = c"/proc/self/exe".as_ptr().addr();
    let flags = libc::OPEN_TREE_CLONE as usize | libc::OPEN_TREE_CLOEXEC as usize;
    let here = libc::AT_FDCWD as isize as usize;
    // SAFETY: the path ends with NUL.
    let mount = unsafe { call(libc::SYS_open_tree, [here, file, flags, 0, 0]) };
    if mount < 0 {
        return;
    }
    let (mount, nothing, itself) =
        (mount.cast_unsigned(), c"".as_ptr().addr(), libc::AT_EMPTY_PATH as usize);
    // `struct mount_attr`: to set, to clear, propagation, user namespace.
    let read_only: [u64; 4] = [libc::MOUNT_ATTR_RDONLY, 0, 0, 0];
    let size = size_of_val(&read_only);
    let attributes = read_only.as_ptr().addr();
    // SAFETY: the structure outlives the call, and is of the size that is passed.
    let set = unsafe { call(libc::SYS_mount_setattr, [mount, nothing, itself, attributes, size]) };
    if set == 0 {
        let lists = [arguments.addr(), environment.addr()];
        // SAFETY: both lists end with null and hold C strings, as the kernel laid them out.
        unsafe { call(libc::SYS_execveat, [mount, nothing, lists[0], lists[1], itself]) };
    }
    // SAFETY: it is ours, and used no more.
    unsafe { call(libc::SYS_close, [mount, 0, 0, 0, 0]) };
}

/// Whether the program was executed from a descriptor, as it is the second time: the kernel then
/// makes up the name `/dev/fd/N` for it (`AT_EXECFN`, getauxval(3)).
///
/// # Safety
/// The list ends with null, and the auxiliary vector follows.
unsafe fn is_from_descriptor(environment: *const *const u8) -> bool {
    let mut place = environment;
    // SAFETY: up to the null after the environment, and then up to the entry `AT_NULL`.
    unsafe {
        while !place.read_volatile().is_null() {
            place = place.add(1);
        }
        let mut entry = place.add(1).cast::<[usize; 2]>();
        loop {
            match entry.read_volatile() {
                [0, _] => return false,
                [kind, name] if kind == libc::AT_EXECFN as usize => {
                    return starts_with(core::ptr::with_exposed_provenance(name), b"/dev/fd/");
                }
                _ => entry = entry.add(1),
            }
        }
    }
}

/// Whether a C string is this word.
///
/// # Safety
/// It ends with NUL.
unsafe fn is(text: *const u8, word: &[u8]) -> bool {
    // SAFETY: if it starts with the word, there is at least a NUL after that.
    unsafe { starts_with(text, word) && text.add(word.len()).read_volatile() == 0 }
}

/// # Safety
/// The text ends with NUL.
unsafe fn starts_with(text: *const u8, word: &[u8]) -> bool {
    // SAFETY: a NUL differs from what is in a word, so nothing after the first one is read.
    word.iter().enumerate().all(|(index, byte)| unsafe { text.add(index).read_volatile() } == *byte)
}

/// A system call, syscall(2), without `errno`, which has no place yet: negative for an error.
///
/// # Safety
/// As the call demands.
unsafe fn call(number: i64, arguments: [usize; 5]) -> isize {
    let [first, second, third, fourth, fifth] = arguments;
    let result;
    // SAFETY: the kernel changes rax, rcx and r11 alone, and what the caller let it.
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") number as isize => result,
            in("rdi") first,
            in("rsi") second,
            in("rdx") third,
            in("r10") fourth,
            in("r8") fifth,
            lateout("rcx") _,
            lateout("r11") _,
            options(nostack),
        );
    }
    result
}
