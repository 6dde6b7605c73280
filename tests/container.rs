//! Containers and pods, as podman runs them: the image that the Dockerfile makes, the launcher as
//! process 1, a store that is found by its name, and what contrib/ has for Kubernetes. Images are
//! built from what is on this machine: none is pulled.
//!
//! podman 4.3 plays Pods, Deployments, ConfigMaps and claims. What it does not know, the
//! StatefulSet, Jobs and native sidecars, `pods.py` makes plain pods of, and `manifests.rs` holds
//! to Kubernetes' own schema.

mod ci;
mod cluster;
mod entrypoint;
mod image;
mod manifests;
mod mishaps;
mod podman;
mod pods;
mod speed;
mod units;

use podman::Podman;
