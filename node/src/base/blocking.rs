//! Threads that must never wait for a lock or a disk.
//!
//! The raft thread sends heartbeats, answers votes and renews the lease. When it waits for a lock
//! that a long command holds, or for a slow disk, the cluster loses its leader. So every function
//! that may take long calls this module first, and in debug builds, which the tests use, a thread
//! that must not wait panics there.

use std::cell::Cell;

/// Name of the thread of consensus, which must not wait.
pub const RAFT_THREAD: &str = "raft";

thread_local! {
    static MUST_NOT_WAIT: Cell<bool> = const { Cell::new(false) };
}

/// Marks the calling thread if a thread of this name must not wait. [`crate::base::threads`] calls
/// it for every thread. In the simulation, all threads of a node run on one, where no other thread
/// can hold a lock; nothing is marked there.
pub fn enter_thread(name: &str) {
    MUST_NOT_WAIT.set(name == RAFT_THREAD);
}

/// To be called before waiting for `what`.
///
/// # Panics
///
/// In debug builds, on a thread that must not wait.
#[inline]
pub fn check_may_wait(what: &str) {
    debug_assert!(
        !MUST_NOT_WAIT.get(),
        "the raft thread must not wait for {what}: a helper thread has to do this"
    );
}

/// Lets the calling thread wait in `work`: the node stops after it, and what it writes to the disk
/// must be complete before.
pub fn while_it_ends<T>(work: impl FnOnce() -> T) -> T {
    let marked = MUST_NOT_WAIT.replace(false);
    let done = work();
    MUST_NOT_WAIT.set(marked);
    done
}

#[cfg(test)]
mod tests {
    use super::*;

    fn panics_on(name: &str) -> bool {
        let name = name.to_owned();
        let thread = std::thread::spawn(move || {
            enter_thread(&name);
            check_may_wait("a test");
        });
        thread.join().is_err()
    }

    #[test]
    fn only_the_raft_thread_is_kept_from_waiting() {
        assert!(panics_on(RAFT_THREAD));
        assert!(!panics_on("apply-0"));
    }
}
