//! Matching, plan and player together: what server, play and feeds share.
pub mod sink;
