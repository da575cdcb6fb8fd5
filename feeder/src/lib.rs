//! The feeder: reads the federation's clouds and keeps the registry true.

pub mod inventory;
pub mod reading;
