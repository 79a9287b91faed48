//! `tinyo history`: how an image came to be.

use super::images::id;
use crate::context::Context;
use crate::show::{ListFormat, ago, bytes, print_columns, print_line, print_lines, print_table};
use anyhow::{Context as _, Result};
use clap::Args;
use image::store::Layer;
use image::time;
use spec::image::{History, ImageConfig};
use std::time::SystemTime;

#[derive(Args)]
pub(crate) struct Arguments {
    /// Name or id of an image
    image: String,
    /// Show commands and digests in full
    #[arg(long)]
    no_trunc: bool,
    /// Sizes and times for people
    #[arg(short = 'H', long, value_name = "BOOL", default_value_t = true, default_missing_value = "true", num_args = 0..=1, require_equals = true, action = clap::ArgAction::Set)]
    human: bool,
    /// Print nothing but the digests of the layers
    #[arg(short, long)]
    quiet: bool,
    /// How to print the result: table, json, 'table TEMPLATE' or TEMPLATE, such as
    /// '{{.CreatedBy}}'
    #[arg(long, value_name = "FORMAT")]
    format: Option<ListFormat>,
}

/// A step, and the layer that it made.
struct Step<'a> {
    history: History,
    layer: Option<&'a Layer>,
}

pub(crate) fn run(context: &Context, arguments: &Arguments) -> Result<()> {
    let store = context.store()?;
    let image = context.find_image(&store, &arguments.image)?;
    let config: ImageConfig = serde_json::from_slice(&store.read_blob(&image.id)?)
        .with_context(|| format!("configuration {}", image.id))?;
    let steps = steps(config.history, &image.layers);
    if arguments.quiet {
        let layers = steps.iter().filter_map(|step| step.layer);
        return layers
            .map(|it| id(&it.diff_id, arguments.no_trunc))
            .try_for_each(|it| print_line(&it));
    }
    let rows: Vec<_> = steps.iter().map(|step| row(step, arguments)).collect();
    let records =
        || rows.iter().zip(&steps).map(|(row, step)| record(row, step)).collect::<Vec<_>>();
    match &arguments.format {
        None | Some(ListFormat::Table) => {
            print_table(&["LAYER", "CREATED", "CREATED BY", "SIZE", "COMMENT"], &rows)
        }
        Some(ListFormat::Json) => print_line(&json(&steps).to_string()),
        Some(ListFormat::Lines(template)) => print_lines(template, &records()),
        Some(ListFormat::Columns(template)) => print_columns(template, HEADINGS, &records()),
    }
}

/// What templates can show, and what is above it.
const HEADINGS: &[(&str, &str)] = &[
    ("ID", "LAYER"),
    ("CreatedSince", "CREATED"),
    ("CreatedAt", "CREATED AT"),
    ("CreatedBy", "CREATED BY"),
    ("Size", "SIZE"),
    ("Comment", "COMMENT"),
];

/// The fields of Docker, as texts for people.
fn record(row: &[String], step: &Step<'_>) -> serde_json::Value {
    serde_json::json!({
        "ID": row[0],
        "CreatedSince": row[1],
        "CreatedAt": step.history.created,
        "CreatedBy": row[2],
        "Size": row[3],
        "Comment": row[4],
    })
}

/// The last step first. Layers that no step tells of come from who keeps no history.
fn steps(history: Vec<History>, layers: &[Layer]) -> Vec<Step<'_>> {
    let mut layers = layers.iter();
    let mut steps: Vec<_> = history
        .into_iter()
        .map(|history| {
            let layer = if history.empty_layer { None } else { layers.next() };
            Step { history, layer }
        })
        .collect();
    steps.extend(layers.map(|layer| Step { history: History::default(), layer: Some(layer) }));
    steps.reverse();
    steps
}

fn row(step: &Step<'_>, arguments: &Arguments) -> Vec<String> {
    let (in_full, human) = (arguments.no_trunc, arguments.human);
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |it| it.as_secs());
    let created = step.history.created.as_deref().and_then(time::parse).filter(|it| *it > 0);
    let by = step.history.created_by.clone().unwrap_or_default().replace(['\n', '\t'], " ");
    let by = if in_full || by.chars().count() <= 60 {
        by
    } else {
        by.chars().take(57).chain("...".chars()).collect()
    };
    let size = step.layer.map_or(0, |layer| layer.bytes);
    vec![
        step.layer.map_or("<none>".to_owned(), |layer| id(&layer.diff_id, in_full)),
        match (created, &step.history.created) {
            (Some(_), Some(text)) if !human => text.clone(),
            (Some(created), _) => ago(now.saturating_sub(created)),
            (None, _) => "N/A".to_owned(),
        },
        by,
        if human { bytes(size) } else { size.to_string() },
        step.history.comment.clone().unwrap_or_default(),
    ]
}

fn json(steps: &[Step<'_>]) -> serde_json::Value {
    let step = |step: &Step<'_>| {
        serde_json::json!({
            "DiffId": step.layer.map(|layer| layer.diff_id.as_str()),
            "Created": step.history.created,
            "CreatedBy": step.history.created_by,
            "Size": step.layer.map_or(0, |layer| layer.bytes),
            "Comment": step.history.comment,
        })
    };
    steps.iter().map(step).collect()
}

#[cfg(test)]
mod tests {
    use super::steps;
    use image::store::Layer;
    use spec::image::{Algorithm, Digest, History};

    #[test]
    fn steps_find_their_layers() {
        let layer = |number: u8| {
            let digest = Digest::from_hash(Algorithm::Sha256, &[number; 32]);
            Layer {
                blob: digest.clone(),
                blob_size: 1,
                diff_id: digest,
                bytes: 1,
                hides_all_below: false,
            }
        };
        let layers = [layer(1), layer(2)];
        let empty = History { empty_layer: true, ..History::default() };
        let found = steps(vec![empty, History::default()], &layers);
        let found: Vec<_> =
            found.iter().map(|step| step.layer.map(|it| it.diff_id.short())).collect();
        assert_eq!(found, [Some("020202020202"), Some("010101010101"), None]);
    }
}
