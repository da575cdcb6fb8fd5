//! The feeder: reads the federation's clouds and keeps the registry true.

pub mod inventory;
pub mod kubernetes;
pub mod limits;
pub mod openstack;
pub mod reading;
mod transport;
