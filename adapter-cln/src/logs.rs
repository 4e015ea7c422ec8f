//! Log lines of this program in the node's own log.

use crate::limits::LOG_LINE_BYTES;
use crate::output::{Level, LogLines};
use std::fmt::{Debug, Write};
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::{EnvFilter, registry};

/// Sends what passes `filter` to lightningd, from this call on.
pub(crate) fn install(filter: &str, lines: LogLines) {
    // The configuration has parsed it already; what it refused never gets here.
    let filter = EnvFilter::try_new(filter).unwrap_or_else(|_| EnvFilter::new("info"));
    let subscriber = registry().with(filter).with(ToNode { lines });
    // Another one is installed where several plugins run in one test process: then that one hears.
    let _ = tracing::subscriber::set_global_default(subscriber);
}

/// Logs a panic and ends the process: what is left of it would answer some calls and not others, and
/// lightningd does well without the plugin.
pub(crate) fn stop_on_panic(lines: LogLines) {
    std::panic::set_hook(Box::new(move |info| {
        let text =
            format!("the plugin broke down and stops ({info}); start it again and report this");
        lines.put(Level::Error, text);
        lines.flush();
        std::process::exit(101);
    }));
}

struct ToNode {
    lines: LogLines,
}

impl<S: Subscriber> Layer<S> for ToNode {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let level = match *event.metadata().level() {
            tracing::Level::ERROR => Level::Error,
            tracing::Level::WARN => Level::Warn,
            tracing::Level::INFO => Level::Info,
            tracing::Level::DEBUG | tracing::Level::TRACE => Level::Debug,
        };
        let mut text = Text::default();
        event.record(&mut text);
        self.lines.put(level, text.line());
    }
}

/// The message, then the fields.
#[derive(Default)]
struct Text {
    message: String,
    fields: String,
}

impl Text {
    fn line(mut self) -> String {
        self.message.push_str(&self.fields);
        if self.message.starts_with(' ') {
            self.message.remove(0);
        }
        if self.message.len() > LOG_LINE_BYTES {
            let mut end = LOG_LINE_BYTES;
            while !self.message.is_char_boundary(end) {
                end -= 1;
            }
            self.message.truncate(end);
        }
        self.message
    }
}

impl Visit for Text {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.record_debug(field, &format_args!("{value}"));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        // Writing to a string does not fail.
        let _ = match field.name() {
            "message" => write!(self.message, "{value:?}"),
            name => write!(self.fields, " {name}={value:?}"),
        };
    }
}
