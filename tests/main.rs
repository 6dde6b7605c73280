//! All integration tests in one binary, a file a subject. They run the real `inject` in known
//! situations and say what a user, a script or another program would see.

mod applications;
mod authority;
mod binary;
mod bounds;
mod canary;
mod command;
mod conformance;
mod container;
mod failure;
mod formats;
mod harness;
mod launch;
mod manage;
mod memfd;
mod operations;
mod output_faults;
mod output_owners;
mod output_races;
mod outputs;
mod render;
mod scripted_store;
mod secret_commands;
mod serve;
mod serve_faults;
mod serve_flood;
mod settings;
mod store_embedded;
mod store_faults;
mod template_input;
mod template_reports;
mod template_settings;
mod tidy;
mod tls;
