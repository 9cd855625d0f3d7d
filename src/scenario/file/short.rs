//! What may be written short or long: how both are read, and their schemas.

#[cfg(test)]
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::{
    CompressFile, CorsFile, CountFile, DisconnectRulesFile, DisconnectTargetFile, FollowFile,
    FollowRulesFile, HeaderFile, HeartbeatFile, HeartbeatRulesFile, HistoryFile, PublishFile,
    PublishRulesFile, RawFile, ReplayFile, ReplayRulesFile,
};
#[cfg(test)]
use super::{CorsRulesFile, CountRulesFile, HistoryRulesFile, RawFormFile, RawPieceFile};
use crate::scenario::decode::{At, DurationText, FromNode, OneOrMany, Scalar, mismatch};
use crate::scenario::diagnostic::Diagnostic;
use crate::scenario::yaml::{Kind, Node};

fn is_map(node: &Node) -> bool {
    matches!(node.kind, Kind::Map(_))
}

fn at<T>(node: &Node, value: T) -> At<T> {
    At {
        span: node.span.clone(),
        value,
    }
}

impl FromNode for CorsFile {
    fn from_node(node: &Node, errors: &mut Vec<Diagnostic>) -> Option<Self> {
        if is_map(node) {
            return At::from_node(node, errors).map(|at| CorsFile::Rules(Box::new(at)));
        }
        if node.scalar() == Some("off") {
            return Some(CorsFile::Off);
        }
        let hint = "for example: { origins: [http://localhost:3000] }";
        errors.push(mismatch(node, "`off` or a mapping").hint(hint));
        None
    }
}

impl FromNode for PublishFile {
    fn from_node(node: &Node, errors: &mut Vec<Diagnostic>) -> Option<Self> {
        if is_map(node) {
            return At::from_node(node, errors).map(PublishFile);
        }
        let value = PublishRulesFile {
            topic: Some(Scalar::from_node(node, errors)?),
            ..Default::default()
        };
        Some(PublishFile(at(node, value)))
    }
}

impl FromNode for FollowFile {
    fn from_node(node: &Node, errors: &mut Vec<Diagnostic>) -> Option<Self> {
        if is_map(node) {
            return At::from_node(node, errors).map(FollowFile);
        }
        let value = FollowRulesFile {
            topic: Some(OneOrMany::from_node(node, errors)?),
            ..Default::default()
        };
        Some(FollowFile(at(node, value)))
    }
}

impl FromNode for ReplayFile {
    fn from_node(node: &Node, errors: &mut Vec<Diagnostic>) -> Option<Self> {
        if is_map(node) {
            return At::from_node(node, errors).map(ReplayFile);
        }
        let value = ReplayRulesFile {
            file: Some(At::from_node(node, errors)?),
            ..Default::default()
        };
        Some(ReplayFile(at(node, value)))
    }
}

impl FromNode for DisconnectTargetFile {
    fn from_node(node: &Node, errors: &mut Vec<Diagnostic>) -> Option<Self> {
        if is_map(node) {
            return At::from_node(node, errors).map(DisconnectTargetFile);
        }
        let endpoint: At<String> = At::from_node(node, errors)?;
        let value = DisconnectRulesFile {
            endpoint: (endpoint.value != "all").then_some(endpoint),
            ..Default::default()
        };
        Some(DisconnectTargetFile(at(node, value)))
    }
}

impl FromNode for HeartbeatFile {
    fn from_node(node: &Node, errors: &mut Vec<Diagnostic>) -> Option<Self> {
        if is_map(node) {
            return At::from_node(node, errors).map(HeartbeatFile);
        }
        let value = HeartbeatRulesFile {
            every: Some(DurationText::from_node(node, errors)?),
            ..Default::default()
        };
        Some(HeartbeatFile(at(node, value)))
    }
}

impl FromNode for HistoryFile {
    fn from_node(node: &Node, errors: &mut Vec<Diagnostic>) -> Option<Self> {
        if is_map(node) {
            return At::from_node(node, errors).map(HistoryFile::Rules);
        }
        At::from_node(node, errors).map(HistoryFile::Count)
    }
}

impl FromNode for CountFile {
    fn from_node(node: &Node, errors: &mut Vec<Diagnostic>) -> Option<Self> {
        if is_map(node) {
            return At::from_node(node, errors).map(CountFile::Rules);
        }
        At::from_node(node, errors).map(CountFile::Exactly)
    }
}

impl FromNode for CompressFile {
    fn from_node(node: &Node, errors: &mut Vec<Diagnostic>) -> Option<Self> {
        if let Kind::Bool(switch) = node.kind {
            return Some(CompressFile::Switch(switch));
        }
        OneOrMany::from_node(node, errors).map(|list| CompressFile::Codings(list.0))
    }
}

impl FromNode for HeaderFile {
    fn from_node(node: &Node, errors: &mut Vec<Diagnostic>) -> Option<Self> {
        OneOrMany::from_node(node, errors).map(|values| HeaderFile(values.0))
    }
}

impl FromNode for RawFile {
    fn from_node(node: &Node, errors: &mut Vec<Diagnostic>) -> Option<Self> {
        OneOrMany::from_node(node, errors).map(|pieces| RawFile(pieces.0))
    }
}

/// Gives a type that may be written short or long both schemas.
macro_rules! short_or_long {
    ($type:ident, $generator:ident => $short:expr, $long:ty) => {
        #[cfg(test)]
        impl JsonSchema for $type {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($type).into()
            }
            fn json_schema($generator: &mut SchemaGenerator) -> Schema {
                let long = $generator.subschema_for::<$long>();
                let short = $short;
                json_schema!({ "anyOf": [short, long] })
            }
        }
    };
}

short_or_long!(CorsFile, generator => json_schema!({ "const": "off" }), CorsRulesFile);
short_or_long!(PublishFile, generator => generator.subschema_for::<Scalar>(), PublishRulesFile);
short_or_long!(FollowFile, generator => generator.subschema_for::<OneOrMany<Scalar>>(), FollowRulesFile);
short_or_long!(ReplayFile, generator => generator.subschema_for::<String>(), ReplayRulesFile);
short_or_long!(DisconnectTargetFile, generator => generator.subschema_for::<String>(), DisconnectRulesFile);
short_or_long!(HeartbeatFile, generator => generator.subschema_for::<DurationText>(), HeartbeatRulesFile);
short_or_long!(HistoryFile, generator => generator.subschema_for::<u64>(), HistoryRulesFile);
short_or_long!(CountFile, generator => generator.subschema_for::<u64>(), CountRulesFile);
short_or_long!(CompressFile, generator => generator.subschema_for::<bool>(), OneOrMany<String>);
short_or_long!(HeaderFile, generator => generator.subschema_for::<Scalar>(), Vec<Scalar>);
short_or_long!(RawPieceFile, generator => generator.subschema_for::<Scalar>(), RawFormFile);
short_or_long!(RawFile, generator => generator.subschema_for::<RawPieceFile>(), Vec<RawPieceFile>);
