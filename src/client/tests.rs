//! The client against real sockets that answer by a script.
