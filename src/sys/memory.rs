//! What the allocator keeps of freed memory. It decides nothing.

/// Gives every page that is free back to the system (malloc_trim(3)). The C library by itself gives
/// back only what is free at the end of its heaps, which one small block keeps: so what thousands
/// of connections took would stay for good. It takes a third of a millisecond for each megabyte, in
/// which others may wait for memory.
pub fn give_back_memory() {
    // Other C libraries keep little, and have no such call.
    #[cfg(target_env = "gnu")]
    // SAFETY: it takes one integer, and locks what it works on as any allocation does.
    unsafe {
        libc::malloc_trim(0);
    }
}
