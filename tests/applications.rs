//! Real servers that read what was delivered: nginx, Redis and PostgreSQL as Debian packages them,
//! started with rendered configs that hold nasty passwords, and clients that use these. Each server
//! listens on a Unix socket in its world: there is no port to be taken by another.
//!
//! Their config files have no format of their own here: they are texts, into which a value goes as
//! it is. So each template quotes its reference in the way that lets most through, and each
//! password has all that this way can hold; what it cannot hold is said beside it.
//!
//! Memory files stand at descriptors from 60 on: a shell keeps files of its own from 10 on, some of
//! which what it starts inherits, and an inherited file is never replaced.

mod nginx;
mod postgresql;
mod redis;
mod server;
