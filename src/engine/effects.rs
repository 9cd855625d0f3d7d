//! What a stream does to the world around it: publishing, state, signals, other streams.

use std::sync::Arc;

use super::connections::{Order, Registered};
use super::stage::Stage;
use crate::expr::RenderError;
use crate::plan::{Publication, Setting, render_setting};
use crate::scenario::Scenario;
use crate::scenario::model::Disconnect;
use crate::state::ApplyError;

impl Stage {
    /// Publishes messages in order; answers with how many followers they reached.
    pub(super) fn publish(
        &self,
        scenario: &Scenario,
        all: Vec<Publication>,
    ) -> Result<usize, PublishFailure> {
        let mut reached = 0;
        for Publication {
            topic,
            event,
            counted,
        } in all
        {
            let Some(spec) = scenario.topic(&topic) else {
                return Err(PublishFailure::Unknown(topic));
            };
            let published = self.topics.publish(&topic, &spec.rules, event, counted);
            reached += published.map_err(PublishFailure::Refused)?;
        }
        Ok(reached)
    }

    /// Changes the state, as a whole or not at all.
    pub(super) fn set(&self, scenario: &Scenario, setting: &Setting) -> Result<(), ApplyError<RenderError>> {
        let change = || render_setting(setting, &scenario.expressions);
        let applied = self.state.apply(change);
        self.board.changed();
        applied
    }

    /// Ends other streams; the one that asks goes on.
    pub(super) fn disconnect(&self, which: &Disconnect, asking: &Registered) {
        let asked = |endpoint: &str| match &which.endpoints {
            None => true,
            Some(keys) => keys.iter().any(|key| key == endpoint),
        };
        self.connections.order_where(Order::End(which.end), |live| {
            live.number != asking.number && asked(live.endpoint())
        });
    }

    /// Closes the listener for a while.
    pub(super) async fn go_offline(self: &Arc<Stage>, how_long: std::time::Duration) {
        self.gate.close_for(&self.clock, how_long).await;
    }
}

/// Why a message was not published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum PublishFailure {
    /// No topic has this name.
    Unknown(String),
    /// The topics do not take it.
    Refused(crate::topic::PublishError),
}

impl std::fmt::Display for PublishFailure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            PublishFailure::Unknown(name) => {
                write!(f, "there is no topic `{name}`: declare it under `topics`")
            }
            PublishFailure::Refused(error) => error.fmt(f),
        }
    }
}
