//! Topics: what is published reaches everyone who follows, and is kept for those who resume.

mod memory;

pub use memory::{Message, PublishError, Start, Subscription, TooSlow, Topics};
