//! Every value, read again.
