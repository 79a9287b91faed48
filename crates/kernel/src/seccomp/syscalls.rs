//! The numbers of all system calls by name: facts of the kernel's tables, up to Linux 7.1.
// tidy: table

use super::architecture::Architecture;
pub(super) use super::architecture::COUNT;

/// No such call.
pub(super) const __: u16 = u16::MAX;

/// The numbers of one name on each architecture, in the order of their columns.
pub(super) type Row = [u16; COUNT];

/// Where this name is in [`SYSCALLS`], `None` for a name that no architecture has.
pub(super) fn find(name: &str) -> Option<u16> {
    let mut slot = hash(name.as_bytes());
    loop {
        let row = SLOTS[slot];
        let (known, _) = SYSCALLS.get(usize::from(row))?;
        if *known == name {
            return Some(row);
        }
        slot = (slot + 1) % SLOTS.len();
    }
}

/// All calls of an architecture, by their numbers in a filter, with the places of their names in
/// [`SYSCALLS`].
pub(super) fn by_number(architecture: Architecture) -> impl DoubleEndedIterator<Item = (u32, u16)> {
    let column = architecture as usize;
    let rows = BY_NUMBER[column].iter().take_while(|row| **row != __).count();
    BY_NUMBER[column][..rows].iter().map(move |row| {
        let (_, numbers) = &SYSCALLS[usize::from(*row)];
        (architecture.number(numbers[column]), *row)
    })
}

/// For each architecture the rows that it has, sorted by their numbers, and then [`__`].
static BY_NUMBER: [[u16; SYSCALLS.len()]; COUNT] = {
    /// More than all numbers but Arm's private ones, which come after them.
    const PRIVATE: usize = 1000;
    let mut sorted = [[__; SYSCALLS.len()]; COUNT];
    let mut column = 0;
    while column < COUNT {
        let mut places = [__; 1024];
        let mut row = 0;
        while row < SYSCALLS.len() {
            let number = SYSCALLS[row].1[column];
            if number >= 0xf000 && number != __ {
                places[PRIVATE + number as usize - 0xf000] = row as u16;
            } else if number != __ {
                places[number as usize] = row as u16;
            }
            row += 1;
        }
        let (mut place, mut count) = (0, 0);
        while place < places.len() {
            if places[place] != __ {
                sorted[column][count] = places[place];
                count += 1;
            }
            place += 1;
        }
        column += 1;
    }
    sorted
};

/// The numbers of this name.
#[cfg(any(test, fuzzing))]
pub(super) fn row(name: &str) -> Option<&'static Row> {
    find(name).map(|row| &SYSCALLS[usize::from(row)].1)
}

/// Rows by the hash of their names, each in the first slot that was free; half of all stay empty.
static SLOTS: [u16; 1024] = {
    let mut slots = [u16::MAX; 1024];
    let mut row = 0;
    while row < SYSCALLS.len() {
        let mut slot = hash(SYSCALLS[row].0.as_bytes());
        while slots[slot] != u16::MAX {
            slot = (slot + 1) % slots.len();
        }
        slots[slot] = row as u16;
        row += 1;
    }
    slots
};

/// The slot in which the search for a name begins (FNV-1a).
const fn hash(name: &[u8]) -> usize {
    let mut hash: u32 = 0x811c_9dc5;
    let mut index = 0;
    while index < name.len() {
        hash = (hash ^ name[index] as u32).wrapping_mul(0x0100_0193);
        index += 1;
    }
    (hash ^ hash >> 16) as usize % 1024
}

/// Sorted by name. The columns: x86-64, 32-bit x86, x32 (without its bit 30), 64-bit Arm, 32-bit Arm
/// (whose private calls, from 0x0f0000, are written from 0xf000).
#[rustfmt::skip]
pub(super) static SYSCALLS: &[(&str, Row)] = &[
    ("_llseek", [__, 140, __, __, 140]),
    ("_newselect", [__, 142, __, __, 142]),
    ("_sysctl", [156, 149, __, __, 149]),
    ("accept", [43, __, 43, 202, 285]),
    ("accept4", [288, 364, 288, 242, 366]),
    ("access", [21, 33, 21, __, 33]),
    ("acct", [163, 51, 163, 89, 51]),
    ("add_key", [248, 286, 248, 217, 309]),
    ("adjtimex", [159, 124, 159, 171, 124]),
    ("afs_syscall", [183, 137, 183, __, __]),
    ("alarm", [37, 27, 37, __, __]),
    ("arch_prctl", [158, 384, 158, __, __]),
    ("arm_fadvise64_64", [__, __, __, __, 270]),
    ("arm_sync_file_range", [__, __, __, __, 341]),
    ("bdflush", [__, 134, __, __, 134]),
    ("bind", [49, 361, 49, 200, 282]),
    ("bpf", [321, 357, 321, 280, 386]),
    ("break", [__, 17, __, __, __]),
    ("breakpoint", [__, __, __, __, 0xf001]),
    ("brk", [12, 45, 12, 214, 45]),
    ("cacheflush", [__, __, __, __, 0xf002]),
    ("cachestat", [451, 451, 451, 451, 451]),
    ("capget", [125, 184, 125, 90, 184]),
    ("capset", [126, 185, 126, 91, 185]),
    ("chdir", [80, 12, 80, 49, 12]),
    ("chmod", [90, 15, 90, __, 15]),
    ("chown", [92, 182, 92, __, 182]),
    ("chown32", [__, 212, __, __, 212]),
    ("chroot", [161, 61, 161, 51, 61]),
    ("clock_adjtime", [305, 343, 305, 266, 372]),
    ("clock_adjtime64", [__, 405, __, __, 405]),
    ("clock_getres", [229, 266, 229, 114, 264]),
    ("clock_getres_time64", [__, 406, __, __, 406]),
    ("clock_gettime", [228, 265, 228, 113, 263]),
    ("clock_gettime64", [__, 403, __, __, 403]),
    ("clock_nanosleep", [230, 267, 230, 115, 265]),
    ("clock_nanosleep_time64", [__, 407, __, __, 407]),
    ("clock_settime", [227, 264, 227, 112, 262]),
    ("clock_settime64", [__, 404, __, __, 404]),
    ("clone", [56, 120, 56, 220, 120]),
    ("clone3", [435, 435, 435, 435, 435]),
    ("close", [3, 6, 3, 57, 6]),
    ("close_range", [436, 436, 436, 436, 436]),
    ("connect", [42, 362, 42, 203, 283]),
    ("copy_file_range", [326, 377, 326, 285, 391]),
    ("creat", [85, 8, 85, __, 8]),
    ("create_module", [174, 127, __, __, __]),
    ("delete_module", [176, 129, 176, 106, 129]),
    ("dup", [32, 41, 32, 23, 41]),
    ("dup2", [33, 63, 33, __, 63]),
    ("dup3", [292, 330, 292, 24, 358]),
    ("epoll_create", [213, 254, 213, __, 250]),
    ("epoll_create1", [291, 329, 291, 20, 357]),
    ("epoll_ctl", [233, 255, 233, 21, 251]),
    ("epoll_ctl_old", [214, __, __, __, __]),
    ("epoll_pwait", [281, 319, 281, 22, 346]),
    ("epoll_pwait2", [441, 441, 441, 441, 441]),
    ("epoll_wait", [232, 256, 232, __, 252]),
    ("epoll_wait_old", [215, __, __, __, __]),
    ("eventfd", [284, 323, 284, __, 351]),
    ("eventfd2", [290, 328, 290, 19, 356]),
    ("execve", [59, 11, 520, 221, 11]),
    ("execveat", [322, 358, 545, 281, 387]),
    ("exit", [60, 1, 60, 93, 1]),
    ("exit_group", [231, 252, 231, 94, 248]),
    ("faccessat", [269, 307, 269, 48, 334]),
    ("faccessat2", [439, 439, 439, 439, 439]),
    ("fadvise64", [221, 250, 221, 223, __]),
    ("fadvise64_64", [__, 272, __, __, __]),
    ("fallocate", [285, 324, 285, 47, 352]),
    ("fanotify_init", [300, 338, 300, 262, 367]),
    ("fanotify_mark", [301, 339, 301, 263, 368]),
    ("fchdir", [81, 133, 81, 50, 133]),
    ("fchmod", [91, 94, 91, 52, 94]),
    ("fchmodat", [268, 306, 268, 53, 333]),
    ("fchmodat2", [452, 452, 452, 452, 452]),
    ("fchown", [93, 95, 93, 55, 95]),
    ("fchown32", [__, 207, __, __, 207]),
    ("fchownat", [260, 298, 260, 54, 325]),
    ("fcntl", [72, 55, 72, 25, 55]),
    ("fcntl64", [__, 221, __, __, 221]),
    ("fdatasync", [75, 148, 75, 83, 148]),
    ("fgetxattr", [193, 231, 193, 10, 231]),
    ("file_getattr", [468, 468, 468, 468, 468]),
    ("file_setattr", [469, 469, 469, 469, 469]),
    ("finit_module", [313, 350, 313, 273, 379]),
    ("flistxattr", [196, 234, 196, 13, 234]),
    ("flock", [73, 143, 73, 32, 143]),
    ("fork", [57, 2, 57, __, 2]),
    ("fremovexattr", [199, 237, 199, 16, 237]),
    ("fsconfig", [431, 431, 431, 431, 431]),
    ("fsetxattr", [190, 228, 190, 7, 228]),
    ("fsmount", [432, 432, 432, 432, 432]),
    ("fsopen", [430, 430, 430, 430, 430]),
    ("fspick", [433, 433, 433, 433, 433]),
    ("fstat", [5, 108, 5, 80, 108]),
    ("fstat64", [__, 197, __, __, 197]),
    ("fstatat64", [__, 300, __, __, 327]),
    ("fstatfs", [138, 100, 138, 44, 100]),
    ("fstatfs64", [__, 269, __, __, 267]),
    ("fsync", [74, 118, 74, 82, 118]),
    ("ftime", [__, 35, __, __, __]),
    ("ftruncate", [77, 93, 77, 46, 93]),
    ("ftruncate64", [__, 194, __, __, 194]),
    ("futex", [202, 240, 202, 98, 240]),
    ("futex_requeue", [456, 456, 456, 456, 456]),
    ("futex_time64", [__, 422, __, __, 422]),
    ("futex_wait", [455, 455, 455, 455, 455]),
    ("futex_waitv", [449, 449, 449, 449, 449]),
    ("futex_wake", [454, 454, 454, 454, 454]),
    ("futimesat", [261, 299, 261, __, 326]),
    ("get_kernel_syms", [177, 130, __, __, __]),
    ("get_mempolicy", [239, 275, 239, 236, 320]),
    ("get_robust_list", [274, 312, 531, 100, 339]),
    ("get_thread_area", [211, 244, __, __, __]),
    ("get_tls", [__, __, __, __, 0xf006]),
    ("getcpu", [309, 318, 309, 168, 345]),
    ("getcwd", [79, 183, 79, 17, 183]),
    ("getdents", [78, 141, 78, __, 141]),
    ("getdents64", [217, 220, 217, 61, 217]),
    ("getegid", [108, 50, 108, 177, 50]),
    ("getegid32", [__, 202, __, __, 202]),
    ("geteuid", [107, 49, 107, 175, 49]),
    ("geteuid32", [__, 201, __, __, 201]),
    ("getgid", [104, 47, 104, 176, 47]),
    ("getgid32", [__, 200, __, __, 200]),
    ("getgroups", [115, 80, 115, 158, 80]),
    ("getgroups32", [__, 205, __, __, 205]),
    ("getitimer", [36, 105, 36, 102, 105]),
    ("getpeername", [52, 368, 52, 205, 287]),
    ("getpgid", [121, 132, 121, 155, 132]),
    ("getpgrp", [111, 65, 111, __, 65]),
    ("getpid", [39, 20, 39, 172, 20]),
    ("getpmsg", [181, 188, 181, __, __]),
    ("getppid", [110, 64, 110, 173, 64]),
    ("getpriority", [140, 96, 140, 141, 96]),
    ("getrandom", [318, 355, 318, 278, 384]),
    ("getresgid", [120, 171, 120, 150, 171]),
    ("getresgid32", [__, 211, __, __, 211]),
    ("getresuid", [118, 165, 118, 148, 165]),
    ("getresuid32", [__, 209, __, __, 209]),
    ("getrlimit", [97, 76, 97, 163, __]),
    ("getrusage", [98, 77, 98, 165, 77]),
    ("getsid", [124, 147, 124, 156, 147]),
    ("getsockname", [51, 367, 51, 204, 286]),
    ("getsockopt", [55, 365, 542, 209, 295]),
    ("gettid", [186, 224, 186, 178, 224]),
    ("gettimeofday", [96, 78, 96, 169, 78]),
    ("getuid", [102, 24, 102, 174, 24]),
    ("getuid32", [__, 199, __, __, 199]),
    ("getxattr", [191, 229, 191, 8, 229]),
    ("getxattrat", [464, 464, 464, 464, 464]),
    ("gtty", [__, 32, __, __, __]),
    ("idle", [__, 112, __, __, __]),
    ("init_module", [175, 128, 175, 105, 128]),
    ("inotify_add_watch", [254, 292, 254, 27, 317]),
    ("inotify_init", [253, 291, 253, __, 316]),
    ("inotify_init1", [294, 332, 294, 26, 360]),
    ("inotify_rm_watch", [255, 293, 255, 28, 318]),
    ("io_cancel", [210, 249, 210, 3, 247]),
    ("io_destroy", [207, 246, 207, 1, 244]),
    ("io_getevents", [208, 247, 208, 4, 245]),
    ("io_pgetevents", [333, 385, 333, 292, 399]),
    ("io_pgetevents_time64", [__, 416, __, __, 416]),
    ("io_setup", [206, 245, 543, 0, 243]),
    ("io_submit", [209, 248, 544, 2, 246]),
    ("io_uring_enter", [426, 426, 426, 426, 426]),
    ("io_uring_register", [427, 427, 427, 427, 427]),
    ("io_uring_setup", [425, 425, 425, 425, 425]),
    ("ioctl", [16, 54, 514, 29, 54]),
    ("ioperm", [173, 101, 173, __, __]),
    ("iopl", [172, 110, 172, __, __]),
    ("ioprio_get", [252, 290, 252, 31, 315]),
    ("ioprio_set", [251, 289, 251, 30, 314]),
    ("ipc", [__, 117, __, __, __]),
    ("kcmp", [312, 349, 312, 272, 378]),
    ("kexec_file_load", [320, __, 320, 294, 401]),
    ("kexec_load", [246, 283, 528, 104, 347]),
    ("keyctl", [250, 288, 250, 219, 311]),
    ("kill", [62, 37, 62, 129, 37]),
    ("landlock_add_rule", [445, 445, 445, 445, 445]),
    ("landlock_create_ruleset", [444, 444, 444, 444, 444]),
    ("landlock_restrict_self", [446, 446, 446, 446, 446]),
    ("lchown", [94, 16, 94, __, 16]),
    ("lchown32", [__, 198, __, __, 198]),
    ("lgetxattr", [192, 230, 192, 9, 230]),
    ("link", [86, 9, 86, __, 9]),
    ("linkat", [265, 303, 265, 37, 330]),
    ("listen", [50, 363, 50, 201, 284]),
    ("listmount", [458, 458, 458, 458, 458]),
    ("listns", [470, 470, 470, 470, 470]),
    ("listxattr", [194, 232, 194, 11, 232]),
    ("listxattrat", [465, 465, 465, 465, 465]),
    ("llistxattr", [195, 233, 195, 12, 233]),
    ("lock", [__, 53, __, __, __]),
    ("lookup_dcookie", [212, 253, 212, 18, 249]),
    ("lremovexattr", [198, 236, 198, 15, 236]),
    ("lseek", [8, 19, 8, 62, 19]),
    ("lsetxattr", [189, 227, 189, 6, 227]),
    ("lsm_get_self_attr", [459, 459, 459, 459, 459]),
    ("lsm_list_modules", [461, 461, 461, 461, 461]),
    ("lsm_set_self_attr", [460, 460, 460, 460, 460]),
    ("lstat", [6, 107, 6, __, 107]),
    ("lstat64", [__, 196, __, __, 196]),
    ("madvise", [28, 219, 28, 233, 220]),
    ("map_shadow_stack", [453, 453, 453, 453, 453]),
    ("mbind", [237, 274, 237, 235, 319]),
    ("membarrier", [324, 375, 324, 283, 389]),
    ("memfd_create", [319, 356, 319, 279, 385]),
    ("memfd_secret", [447, 447, 447, 447, __]),
    ("migrate_pages", [256, 294, 256, 238, 400]),
    ("mincore", [27, 218, 27, 232, 219]),
    ("mkdir", [83, 39, 83, __, 39]),
    ("mkdirat", [258, 296, 258, 34, 323]),
    ("mknod", [133, 14, 133, __, 14]),
    ("mknodat", [259, 297, 259, 33, 324]),
    ("mlock", [149, 150, 149, 228, 150]),
    ("mlock2", [325, 376, 325, 284, 390]),
    ("mlockall", [151, 152, 151, 230, 152]),
    ("mmap", [9, 90, 9, 222, __]),
    ("mmap2", [__, 192, __, __, 192]),
    ("modify_ldt", [154, 123, 154, __, __]),
    ("mount", [165, 21, 165, 40, 21]),
    ("mount_setattr", [442, 442, 442, 442, 442]),
    ("move_mount", [429, 429, 429, 429, 429]),
    ("move_pages", [279, 317, 533, 239, 344]),
    ("mprotect", [10, 125, 10, 226, 125]),
    ("mpx", [__, 56, __, __, __]),
    ("mq_getsetattr", [245, 282, 245, 185, 279]),
    ("mq_notify", [244, 281, 527, 184, 278]),
    ("mq_open", [240, 277, 240, 180, 274]),
    ("mq_timedreceive", [243, 280, 243, 183, 277]),
    ("mq_timedreceive_time64", [__, 419, __, __, 419]),
    ("mq_timedsend", [242, 279, 242, 182, 276]),
    ("mq_timedsend_time64", [__, 418, __, __, 418]),
    ("mq_unlink", [241, 278, 241, 181, 275]),
    ("mremap", [25, 163, 25, 216, 163]),
    ("mseal", [462, 462, 462, 462, 462]),
    ("msgctl", [71, 402, 71, 187, 304]),
    ("msgget", [68, 399, 68, 186, 303]),
    ("msgrcv", [70, 401, 70, 188, 302]),
    ("msgsnd", [69, 400, 69, 189, 301]),
    ("msync", [26, 144, 26, 227, 144]),
    ("munlock", [150, 151, 150, 229, 151]),
    ("munlockall", [152, 153, 152, 231, 153]),
    ("munmap", [11, 91, 11, 215, 91]),
    ("name_to_handle_at", [303, 341, 303, 264, 370]),
    ("nanosleep", [35, 162, 35, 101, 162]),
    ("newfstatat", [262, __, 262, 79, __]),
    ("nfsservctl", [180, 169, __, 42, 169]),
    ("nice", [__, 34, __, __, 34]),
    ("oldfstat", [__, 28, __, __, __]),
    ("oldlstat", [__, 84, __, __, __]),
    ("oldolduname", [__, 59, __, __, __]),
    ("oldstat", [__, 18, __, __, __]),
    ("olduname", [__, 109, __, __, __]),
    ("open", [2, 5, 2, __, 5]),
    ("open_by_handle_at", [304, 342, 304, 265, 371]),
    ("open_tree", [428, 428, 428, 428, 428]),
    ("open_tree_attr", [467, 467, 467, 467, 467]),
    ("openat", [257, 295, 257, 56, 322]),
    ("openat2", [437, 437, 437, 437, 437]),
    ("pause", [34, 29, 34, __, 29]),
    ("pciconfig_iobase", [__, __, __, __, 271]),
    ("pciconfig_read", [__, __, __, __, 272]),
    ("pciconfig_write", [__, __, __, __, 273]),
    ("perf_event_open", [298, 336, 298, 241, 364]),
    ("personality", [135, 136, 135, 92, 136]),
    ("pidfd_getfd", [438, 438, 438, 438, 438]),
    ("pidfd_open", [434, 434, 434, 434, 434]),
    ("pidfd_send_signal", [424, 424, 424, 424, 424]),
    ("pipe", [22, 42, 22, __, 42]),
    ("pipe2", [293, 331, 293, 59, 359]),
    ("pivot_root", [155, 217, 155, 41, 218]),
    ("pkey_alloc", [330, 381, 330, 289, 395]),
    ("pkey_free", [331, 382, 331, 290, 396]),
    ("pkey_mprotect", [329, 380, 329, 288, 394]),
    ("poll", [7, 168, 7, __, 168]),
    ("ppoll", [271, 309, 271, 73, 336]),
    ("ppoll_time64", [__, 414, __, __, 414]),
    ("prctl", [157, 172, 157, 167, 172]),
    ("pread64", [17, 180, 17, 67, 180]),
    ("preadv", [295, 333, 534, 69, 361]),
    ("preadv2", [327, 378, 546, 286, 392]),
    ("prlimit64", [302, 340, 302, 261, 369]),
    ("process_madvise", [440, 440, 440, 440, 440]),
    ("process_mrelease", [448, 448, 448, 448, 448]),
    ("process_vm_readv", [310, 347, 539, 270, 376]),
    ("process_vm_writev", [311, 348, 540, 271, 377]),
    ("prof", [__, 44, __, __, __]),
    ("profil", [__, 98, __, __, __]),
    ("pselect6", [270, 308, 270, 72, 335]),
    ("pselect6_time64", [__, 413, __, __, 413]),
    ("ptrace", [101, 26, 521, 117, 26]),
    ("putpmsg", [182, 189, 182, __, __]),
    ("pwrite64", [18, 181, 18, 68, 181]),
    ("pwritev", [296, 334, 535, 70, 362]),
    ("pwritev2", [328, 379, 547, 287, 393]),
    ("query_module", [178, 167, __, __, __]),
    ("quotactl", [179, 131, 179, 60, 131]),
    ("quotactl_fd", [443, 443, 443, 443, 443]),
    ("read", [0, 3, 0, 63, 3]),
    ("readahead", [187, 225, 187, 213, 225]),
    ("readdir", [__, 89, __, __, __]),
    ("readlink", [89, 85, 89, __, 85]),
    ("readlinkat", [267, 305, 267, 78, 332]),
    ("readv", [19, 145, 515, 65, 145]),
    ("reboot", [169, 88, 169, 142, 88]),
    ("recv", [__, __, __, __, 291]),
    ("recvfrom", [45, 371, 517, 207, 292]),
    ("recvmmsg", [299, 337, 537, 243, 365]),
    ("recvmmsg_time64", [__, 417, __, __, 417]),
    ("recvmsg", [47, 372, 519, 212, 297]),
    ("remap_file_pages", [216, 257, 216, 234, 253]),
    ("removexattr", [197, 235, 197, 14, 235]),
    ("removexattrat", [466, 466, 466, 466, 466]),
    ("rename", [82, 38, 82, __, 38]),
    ("renameat", [264, 302, 264, 38, 329]),
    ("renameat2", [316, 353, 316, 276, 382]),
    ("request_key", [249, 287, 249, 218, 310]),
    ("restart_syscall", [219, 0, 219, 128, 0]),
    ("rmdir", [84, 40, 84, __, 40]),
    ("rseq", [334, 386, 334, 293, 398]),
    ("rseq_slice_yield", [471, 471, 471, 471, 471]),
    ("rt_sigaction", [13, 174, 512, 134, 174]),
    ("rt_sigpending", [127, 176, 522, 136, 176]),
    ("rt_sigprocmask", [14, 175, 14, 135, 175]),
    ("rt_sigqueueinfo", [129, 178, 524, 138, 178]),
    ("rt_sigreturn", [15, 173, 513, 139, 173]),
    ("rt_sigsuspend", [130, 179, 130, 133, 179]),
    ("rt_sigtimedwait", [128, 177, 523, 137, 177]),
    ("rt_sigtimedwait_time64", [__, 421, __, __, 421]),
    ("rt_tgsigqueueinfo", [297, 335, 536, 240, 363]),
    ("sched_get_priority_max", [146, 159, 146, 125, 159]),
    ("sched_get_priority_min", [147, 160, 147, 126, 160]),
    ("sched_getaffinity", [204, 242, 204, 123, 242]),
    ("sched_getattr", [315, 352, 315, 275, 381]),
    ("sched_getparam", [143, 155, 143, 121, 155]),
    ("sched_getscheduler", [145, 157, 145, 120, 157]),
    ("sched_rr_get_interval", [148, 161, 148, 127, 161]),
    ("sched_rr_get_interval_time64", [__, 423, __, __, 423]),
    ("sched_setaffinity", [203, 241, 203, 122, 241]),
    ("sched_setattr", [314, 351, 314, 274, 380]),
    ("sched_setparam", [142, 154, 142, 118, 154]),
    ("sched_setscheduler", [144, 156, 144, 119, 156]),
    ("sched_yield", [24, 158, 24, 124, 158]),
    ("seccomp", [317, 354, 317, 277, 383]),
    ("security", [185, __, 185, __, __]),
    ("select", [23, 82, 23, __, __]),
    ("semctl", [66, 394, 66, 191, 300]),
    ("semget", [64, 393, 64, 190, 299]),
    ("semop", [65, __, 65, 193, 298]),
    ("semtimedop", [220, __, 220, 192, 312]),
    ("semtimedop_time64", [__, 420, __, __, 420]),
    ("send", [__, __, __, __, 289]),
    ("sendfile", [40, 187, 40, 71, 187]),
    ("sendfile64", [__, 239, __, __, 239]),
    ("sendmmsg", [307, 345, 538, 269, 374]),
    ("sendmsg", [46, 370, 518, 211, 296]),
    ("sendto", [44, 369, 44, 206, 290]),
    ("set_mempolicy", [238, 276, 238, 237, 321]),
    ("set_mempolicy_home_node", [450, 450, 450, 450, 450]),
    ("set_robust_list", [273, 311, 530, 99, 338]),
    ("set_thread_area", [205, 243, __, __, __]),
    ("set_tid_address", [218, 258, 218, 96, 256]),
    ("set_tls", [__, __, __, __, 0xf005]),
    ("setdomainname", [171, 121, 171, 162, 121]),
    ("setfsgid", [123, 139, 123, 152, 139]),
    ("setfsgid32", [__, 216, __, __, 216]),
    ("setfsuid", [122, 138, 122, 151, 138]),
    ("setfsuid32", [__, 215, __, __, 215]),
    ("setgid", [106, 46, 106, 144, 46]),
    ("setgid32", [__, 214, __, __, 214]),
    ("setgroups", [116, 81, 116, 159, 81]),
    ("setgroups32", [__, 206, __, __, 206]),
    ("sethostname", [170, 74, 170, 161, 74]),
    ("setitimer", [38, 104, 38, 103, 104]),
    ("setns", [308, 346, 308, 268, 375]),
    ("setpgid", [109, 57, 109, 154, 57]),
    ("setpriority", [141, 97, 141, 140, 97]),
    ("setregid", [114, 71, 114, 143, 71]),
    ("setregid32", [__, 204, __, __, 204]),
    ("setresgid", [119, 170, 119, 149, 170]),
    ("setresgid32", [__, 210, __, __, 210]),
    ("setresuid", [117, 164, 117, 147, 164]),
    ("setresuid32", [__, 208, __, __, 208]),
    ("setreuid", [113, 70, 113, 145, 70]),
    ("setreuid32", [__, 203, __, __, 203]),
    ("setrlimit", [160, 75, 160, 164, 75]),
    ("setsid", [112, 66, 112, 157, 66]),
    ("setsockopt", [54, 366, 541, 208, 294]),
    ("settimeofday", [164, 79, 164, 170, 79]),
    ("setuid", [105, 23, 105, 146, 23]),
    ("setuid32", [__, 213, __, __, 213]),
    ("setxattr", [188, 226, 188, 5, 226]),
    ("setxattrat", [463, 463, 463, 463, 463]),
    ("sgetmask", [__, 68, __, __, __]),
    ("shmat", [30, 397, 30, 196, 305]),
    ("shmctl", [31, 396, 31, 195, 308]),
    ("shmdt", [67, 398, 67, 197, 306]),
    ("shmget", [29, 395, 29, 194, 307]),
    ("shutdown", [48, 373, 48, 210, 293]),
    ("sigaction", [__, 67, __, __, 67]),
    ("sigaltstack", [131, 186, 525, 132, 186]),
    ("signal", [__, 48, __, __, __]),
    ("signalfd", [282, 321, 282, __, 349]),
    ("signalfd4", [289, 327, 289, 74, 355]),
    ("sigpending", [__, 73, __, __, 73]),
    ("sigprocmask", [__, 126, __, __, 126]),
    ("sigreturn", [__, 119, __, __, 119]),
    ("sigsuspend", [__, 72, __, __, 72]),
    ("socket", [41, 359, 41, 198, 281]),
    ("socketcall", [__, 102, __, __, __]),
    ("socketpair", [53, 360, 53, 199, 288]),
    ("splice", [275, 313, 275, 76, 340]),
    ("ssetmask", [__, 69, __, __, __]),
    ("stat", [4, 106, 4, __, 106]),
    ("stat64", [__, 195, __, __, 195]),
    ("statfs", [137, 99, 137, 43, 99]),
    ("statfs64", [__, 268, __, __, 266]),
    ("statmount", [457, 457, 457, 457, 457]),
    ("statx", [332, 383, 332, 291, 397]),
    ("stime", [__, 25, __, __, __]),
    ("stty", [__, 31, __, __, __]),
    ("swapoff", [168, 115, 168, 225, 115]),
    ("swapon", [167, 87, 167, 224, 87]),
    ("symlink", [88, 83, 88, __, 83]),
    ("symlinkat", [266, 304, 266, 36, 331]),
    ("sync", [162, 36, 162, 81, 36]),
    ("sync_file_range", [277, 314, 277, 84, __]),
    ("syncfs", [306, 344, 306, 267, 373]),
    ("sysfs", [139, 135, 139, __, 135]),
    ("sysinfo", [99, 116, 99, 179, 116]),
    ("syslog", [103, 103, 103, 116, 103]),
    ("tee", [276, 315, 276, 77, 342]),
    ("tgkill", [234, 270, 234, 131, 268]),
    ("time", [201, 13, 201, __, __]),
    ("timer_create", [222, 259, 526, 107, 257]),
    ("timer_delete", [226, 263, 226, 111, 261]),
    ("timer_getoverrun", [225, 262, 225, 109, 260]),
    ("timer_gettime", [224, 261, 224, 108, 259]),
    ("timer_gettime64", [__, 408, __, __, 408]),
    ("timer_settime", [223, 260, 223, 110, 258]),
    ("timer_settime64", [__, 409, __, __, 409]),
    ("timerfd_create", [283, 322, 283, 85, 350]),
    ("timerfd_gettime", [287, 326, 287, 87, 354]),
    ("timerfd_gettime64", [__, 410, __, __, 410]),
    ("timerfd_settime", [286, 325, 286, 86, 353]),
    ("timerfd_settime64", [__, 411, __, __, 411]),
    ("times", [100, 43, 100, 153, 43]),
    ("tkill", [200, 238, 200, 130, 238]),
    ("truncate", [76, 92, 76, 45, 92]),
    ("truncate64", [__, 193, __, __, 193]),
    ("tuxcall", [184, __, 184, __, __]),
    ("ugetrlimit", [__, 191, __, __, 191]),
    ("ulimit", [__, 58, __, __, __]),
    ("umask", [95, 60, 95, 166, 60]),
    ("umount", [__, 22, __, __, __]),
    ("umount2", [166, 52, 166, 39, 52]),
    ("uname", [63, 122, 63, 160, 122]),
    ("unlink", [87, 10, 87, __, 10]),
    ("unlinkat", [263, 301, 263, 35, 328]),
    ("unshare", [272, 310, 272, 97, 337]),
    ("uprobe", [336, __, 336, __, __]),
    ("uretprobe", [335, __, 335, __, __]),
    ("uselib", [134, 86, __, __, 86]),
    ("userfaultfd", [323, 374, 323, 282, 388]),
    ("usr26", [__, __, __, __, 0xf003]),
    ("usr32", [__, __, __, __, 0xf004]),
    ("ustat", [136, 62, 136, __, 62]),
    ("utime", [132, 30, 132, __, __]),
    ("utimensat", [280, 320, 280, 88, 348]),
    ("utimensat_time64", [__, 412, __, __, 412]),
    ("utimes", [235, 271, 235, __, 269]),
    ("vfork", [58, 190, 58, __, 190]),
    ("vhangup", [153, 111, 153, 58, 111]),
    ("vm86", [__, 166, __, __, __]),
    ("vm86old", [__, 113, __, __, __]),
    ("vmsplice", [278, 316, 532, 75, 343]),
    ("vserver", [236, 273, __, __, 313]),
    ("wait4", [61, 114, 61, 260, 114]),
    ("waitid", [247, 284, 529, 95, 280]),
    ("waitpid", [__, 7, __, __, __]),
    ("write", [1, 4, 1, 64, 4]),
    ("writev", [20, 146, 516, 66, 146]),
];

#[cfg(test)]
mod tests {
    use super::{__, BY_NUMBER, SLOTS, SYSCALLS, find, hash, row};

    #[test]
    fn the_table_is_sorted_and_no_number_stands_twice() {
        assert!(SYSCALLS.windows(2).all(|pair| pair[0].0 < pair[1].0));
        for column in 0..super::COUNT {
            let numbers = SYSCALLS.iter().map(|(_, row)| row[column]).filter(|it| *it != __);
            let mut numbers: Vec<_> = numbers.collect();
            let count = numbers.len();
            numbers.sort_unstable();
            numbers.dedup();
            assert_eq!(numbers.len(), count, "column {column}");
            assert!(count > 300);
        }
    }

    #[test]
    fn known_numbers() {
        assert_eq!(row("read"), Some(&[0, 3, 0, 63, 3]));
        assert_eq!(row("execve"), Some(&[59, 11, 520, 221, 11]));
        assert_eq!(row("socketcall"), Some(&[__, 102, __, __, __]));
        assert_eq!(row("zzz"), None);
        assert_eq!(row(""), None);
    }

    #[test]
    fn the_table_is_small() {
        let names: usize = SYSCALLS.iter().map(|(name, _)| name.len()).sum();
        let tables = size_of_val(SYSCALLS) + size_of_val(&SLOTS) + size_of_val(&BY_NUMBER);
        assert!(names + tables < 30 << 10);
    }

    #[test]
    fn every_name_is_found_soon() {
        let mut probes = 0;
        for (index, (name, _)) in SYSCALLS.iter().enumerate() {
            assert_eq!(find(name).map(usize::from), Some(index), "{name}");
            let first = hash(name.as_bytes());
            let slots = (0..SLOTS.len()).map(|probe| SLOTS[(first + probe) % SLOTS.len()]);
            probes += 1 + slots.take_while(|slot| usize::from(*slot) != index).count();
        }
        assert!(probes < SYSCALLS.len() * 2, "{probes} probes");
    }
}
