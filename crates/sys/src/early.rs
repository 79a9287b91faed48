//! What a program does before the C library starts.
//!
//! Nothing of the C library works yet, not even `memcpy`: the functions that fit this processor are
//! only chosen by its start. So this reads byte by byte, in a way that the compiler may not turn
//! into a call, and has system calls of its own.

#![allow(unsafe_code)]

use core::arch::asm;
use core::mem::MaybeUninit;
use core::sync::atomic::{AtomicI32, Ordering};
use std::os::fd::{FromRawFd as _, OwnedFd};

/// The mount and the file in it, once the program runs from there; -1 when there is none, or it was
/// closed.
static LEFT_OPEN: [AtomicI32; 2] = [AtomicI32::new(-1), AtomicI32::new(-1)];

/// Whether the program runs from a read-only mount because of [`early_entry`], and
/// [`left_open`] was not called yet.
#[must_use]
pub fn runs_from_mount() -> bool {
    LEFT_OPEN.iter().all(|it| it.load(Ordering::Relaxed) >= 0)
}

/// That mount and the file in it, which are close-on-exec, to be closed, if there are such. The kernel
/// takes a tenth of a millisecond for the last one of them, as it waits for all processors: this is for
/// a moment when nobody waits for the caller.
pub fn left_open() -> Vec<OwnedFd> {
    let numbers = LEFT_OPEN.each_ref().map(|it| it.swap(-1, Ordering::Relaxed));
    let open = numbers.into_iter().filter(|number| *number >= 0);
    // SAFETY: `move_to_read_only_mount` has opened them, and nobody else knew the numbers.
    open.map(|it| unsafe { OwnedFd::from_raw_fd(it) }).collect()
}

/// Makes the linker's entry point `begin_early`, which has the program run from a read-only mount
/// of its file, if one of its words is among `$words`, and goes on to the C library's start.
/// `-Wl,--entry=begin_early` makes it the first to run.
///
/// It is a short cut and no more: whoever needs the program to be out of reach (CVE-2019-5736) asks
/// again, and executes it once more if this did nothing.
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
            unsafe { $crate::early::move_to_read_only_mount(stack, $words) }
        }
    };
}

/// See [`early_entry`].
///
/// Executing the program anew would do, and cost a third of a millisecond. Instead every page of the
/// program is mapped again, from the mount, and `/proc/self/exe` is made to say so (`PR_SET_MM_MAP`,
/// Linux 3.18, for who may checkpoint): the kernel refuses that as long as anything of the old file
/// is mapped. Where it does, or has no mount_setattr, nothing is changed but where the pages come
/// from. See [`left_open`] for what it leaves.
///
/// # Safety
/// `stack` is what the kernel hands to a new program: the number of arguments, these, null, the
/// environment, null, and the auxiliary vector. The program is static, at the addresses its headers
/// say, and nothing has been written to its data yet.
#[inline]
pub unsafe fn move_to_read_only_mount(stack: *const usize, words: &[&[u8]]) {
    // SAFETY: the caller's promise.
    let (count, arguments) = unsafe { (*stack, stack.add(1).cast::<*const u8>()) };
    let is_meant = (1..count).any(|index| {
        // SAFETY: there are `count` of them, each a C string.
        words.iter().any(|word| unsafe { is(*arguments.add(index), word) })
    });
    if !is_meant {
        return;
    }
    let own = c"/proc/self/exe".as_ptr().addr();
    let flags = libc::OPEN_TREE_CLONE as usize | libc::OPEN_TREE_CLOEXEC as usize;
    let here = libc::AT_FDCWD as isize as usize;
    // SAFETY: the path ends with NUL.
    let mount = unsafe { call(libc::SYS_open_tree, here, own, flags, 0, 0, 0) };
    // The path below has room for one figure: whoever starts a program with more descriptors than
    // that has it executed again.
    if !(0..10).contains(&mount) {
        return close(mount);
    }
    let (mount, nothing, itself) =
        (mount.cast_unsigned(), c"".as_ptr().addr(), libc::AT_EMPTY_PATH as usize);
    // `struct mount_attr`: to set, to clear, propagation, user namespace.
    let read_only: [u64; 4] = [libc::MOUNT_ATTR_RDONLY, 0, 0, 0];
    let (size, attributes) = (size_of_val(&read_only), read_only.as_ptr().addr());
    // SAFETY: the structure outlives the call, and is of the size that is passed.
    let set = unsafe { call(libc::SYS_mount_setattr, mount, nothing, itself, attributes, size, 0) };
    if set == 0 {
        let mut path = *b"/proc/self/fd/N\0";
        path[14] = b'0' + mount as u8;
        let flags = libc::O_RDONLY as usize | libc::O_CLOEXEC as usize;
        // SAFETY: the path ends with NUL.
        let file = unsafe { call(libc::SYS_openat, here, path.as_ptr().addr(), flags, 0, 0, 0) };
        // SAFETY: the caller's promise; it is the program's own file.
        if file >= 0 && unsafe { move_to(file.cast_unsigned(), stack) } {
            // Not before: these are among the data that were put in place again.
            LEFT_OPEN[0].store(i32::try_from(mount).unwrap_or(-1), Ordering::Relaxed);
            LEFT_OPEN[1].store(i32::try_from(file).unwrap_or(-1), Ordering::Relaxed);
            return;
        }
        close(file);
    }
    close(mount.cast_signed());
}

/// Makes this file the process's program: its pages, and what the kernel says of it. False if the
/// kernel says of it what it did before.
///
/// # Safety
/// As [`move_to_read_only_mount`] demands, and the file is that of the program.
unsafe fn move_to(file: usize, stack: *const usize) -> bool {
    // SAFETY: the caller's promise.
    let (count, arguments) = unsafe { (*stack, stack.add(1).cast::<*const u8>()) };
    // SAFETY: null follows the arguments.
    let environment = unsafe { arguments.add(count + 1) };
    // SAFETY: both lists end with null.
    let (variables, segments) = unsafe { after_environment(environment) };
    let (mut code, mut end_of_code, mut data, mut end_of_data) = (0, 0, 0, 0);
    for segment in segments {
        if segment.p_type != libc::PT_LOAD {
            continue;
        }
        // SAFETY: the caller's promise.
        if !unsafe { map_again(segment, file) } {
            return false;
        }
        (data, end_of_data) = (segment.p_vaddr, segment.p_vaddr + segment.p_filesz);
        if segment.p_flags & libc::PF_X != 0 {
            (code, end_of_code) = (data, end_of_data);
        }
    }
    // SAFETY: it only asks.
    let heap = unsafe { call(libc::SYS_brk, 0, 0, 0, 0, 0, 0) } as u64;
    // SAFETY: there are that many; each is a C string, and they follow one another (execve(2)).
    let (words, end_of_words) =
        unsafe { ((*arguments).addr() as u64, end_of(*arguments.add(count - 1))) };
    let end_of_variables = match variables {
        0 => end_of_words,
        // SAFETY: the same.
        _ => unsafe { end_of(*environment.add(variables - 1)) },
    };
    // `struct prctl_mm_map` of `linux/prctl.h`, written word by word, as memset(3) must not be
    // called. In the last word are the size of the auxiliary vector, which stays, and the file.
    let mut description = MaybeUninit::<[u64; 13]>::uninit();
    let place = description.as_mut_ptr().cast::<u64>();
    let set = |index: usize, value: u64| {
        // SAFETY: there are that many.
        unsafe { place.add(index).write_volatile(value) };
    };
    set(0, code);
    set(1, end_of_code);
    set(2, data);
    set(3, end_of_data);
    set(4, heap);
    set(5, heap);
    set(6, stack.addr() as u64);
    set(7, words);
    set(8, end_of_words);
    set(9, end_of_words);
    set(10, end_of_variables);
    set(11, 0);
    set(12, (file as u64) << 32);
    let (what, which) = (libc::PR_SET_MM as usize, libc::PR_SET_MM_MAP as usize);
    // SAFETY: the words outlive the call, and are as many as it is told.
    unsafe { call(libc::SYS_prctl, what, which, place.addr(), 13 * 8, 0, 0) == 0 }
}

/// Puts the pages of this file in place of the program's, which are the same.
///
/// # Safety
/// The file is that of the program, which has this segment, and whose data are untouched.
unsafe fn map_again(segment: &libc::Elf64_Phdr, file: usize) -> bool {
    const PAGE: usize = 4096;
    let begin = segment.p_vaddr as usize;
    let (end, end_of_all) = (begin + segment.p_filesz as usize, begin + segment.p_memsz as usize);
    let before = begin % PAGE;
    let (place, length) = (begin - before, end - begin + before);
    let (offset, rights) = (segment.p_offset as usize - before, rights(segment.p_flags));
    let flags = libc::MAP_PRIVATE as usize | libc::MAP_FIXED as usize;
    // SAFETY: the same bytes are there as before, with the same rights.
    let at = unsafe { call(libc::SYS_mmap, place, length, rights, flags, file, offset) };
    if at != place.cast_signed() {
        return false;
    }
    // What the kernel has cleared behind the file's part.
    for address in end..end_of_all.min(end.next_multiple_of(PAGE)) {
        let byte = core::ptr::with_exposed_provenance_mut::<u8>(address);
        // SAFETY: it belongs to the segment, which can be written, as it is longer in memory.
        unsafe { byte.write_volatile(0) };
    }
    true
}

/// For mmap(2), what a segment's flags say, elf(5).
fn rights(flags: u32) -> usize {
    let mut rights = 0;
    if flags & libc::PF_R != 0 {
        rights |= libc::PROT_READ;
    }
    if flags & libc::PF_W != 0 {
        rights |= libc::PROT_WRITE;
    }
    if flags & libc::PF_X != 0 {
        rights |= libc::PROT_EXEC;
    }
    rights as usize
}

/// How many variables there are, and the program headers, from the auxiliary vector behind them
/// (getauxval(3)).
///
/// # Safety
/// The environment ends with null, and the auxiliary vector follows.
unsafe fn after_environment<'a>(environment: *const *const u8) -> (usize, &'a [libc::Elf64_Phdr]) {
    let (mut variables, mut headers, mut count) = (0, 0, 0);
    // SAFETY: up to the null after the environment, and then up to the entry `AT_NULL`.
    unsafe {
        while !environment.add(variables).read_volatile().is_null() {
            variables += 1;
        }
        let mut entry = environment.add(variables + 1).cast::<[usize; 2]>();
        loop {
            match entry.read_volatile() {
                [0, _] => break,
                [kind, value] if kind == libc::AT_PHDR as usize => headers = value,
                [kind, value] if kind == libc::AT_PHNUM as usize => count = value,
                _ => {}
            }
            entry = entry.add(1);
        }
    }
    if headers == 0 {
        return (variables, &[]);
    }
    let headers = core::ptr::with_exposed_provenance(headers);
    // SAFETY: the kernel says where they are, and how many.
    (variables, unsafe { core::slice::from_raw_parts(headers, count) })
}

/// Where the byte behind a C string is.
///
/// # Safety
/// It ends with NUL.
unsafe fn end_of(text: *const u8) -> u64 {
    let mut place = text;
    // SAFETY: up to the NUL.
    while unsafe { place.read_volatile() } != 0 {
        // SAFETY: the NUL is still to come.
        place = unsafe { place.add(1) };
    }
    place.addr() as u64 + 1
}

fn close(fd: isize) {
    if fd >= 0 {
        // SAFETY: it is ours, and used no more.
        unsafe { call(libc::SYS_close, fd.cast_unsigned(), 0, 0, 0, 0, 0) };
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
unsafe fn call(
    number: i64,
    first: usize,
    second: usize,
    third: usize,
    fourth: usize,
    fifth: usize,
    sixth: usize,
) -> isize {
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
            in("r9") sixth,
            lateout("rcx") _,
            lateout("r11") _,
            options(nostack),
        );
    }
    result
}
