//! A run's story as it happens: lines, and on a terminal below them a moving one that says what is being done
//! now and leaves nothing behind; JSON events instead, where they are asked for.

use crate::cli::ui::{Loudness, Ui};
use crate::effect::Events;
use crate::model::Event;
use crate::report;
use indicatif::{ProgressBar, ProgressStyle};
use std::io::IsTerminal as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Where events are shown.
pub struct Shown {
    ui: Ui,
    now: Mutex<Now>,
    terminal: bool,
}

/// The step under way.
#[derive(Default)]
struct Now {
    /// Only on a terminal.
    bar: Option<ProgressBar>,
    /// What commands printed and was shown: a procedure that repeats it as its note is not shown twice.
    printed: Vec<String>,
}

impl Shown {
    pub fn new(ui: &Ui) -> Arc<Self> {
        let terminal = std::io::stderr().is_terminal() && !ui.is_json() && ui.loudness != Loudness::Quiet;
        Arc::new(Self { ui: ui.clone(), now: Mutex::default(), terminal })
    }

    pub fn events(self: &Arc<Self>) -> Events {
        let shown = self.clone();
        Arc::new(move |event| shown.event(event))
    }

    fn event(&self, event: &Event) {
        if self.ui.is_json() {
            self.ui.json(event);
            return;
        }
        if let Event::StepDone { .. } | Event::StepFailed { .. } | Event::RunEnded { .. } = event {
            self.finish();
        }
        match event {
            // Also where everything else is to be quiet.
            Event::GlassBroken { why, by } => return self.ui.warn(report::glass(why, by)),
            Event::EffectBegan { effect } => self.detail(effect.to_string()),
            Event::Advanced { what, done, total } => self.detail(format!("{what} ({done}/{total})")),
            Event::Output { node, line } => self.now().printed.push(format!("{node}: {line}")),
            Event::Note { text } if self.now().printed.contains(text) => return,
            _ => {}
        }
        if let Some(line) = report::event_line(event, self.ui.loudness == Loudness::Verbose) {
            self.line(&line);
        }
        if let Event::StepBegan { .. } = event {
            self.begin();
        }
    }

    /// A line above what is under way.
    pub fn line(&self, line: &str) {
        if self.ui.is_json() {
            return;
        }
        match self.bar() {
            Some(bar) => bar.suspend(|| self.ui.say(line)),
            None => self.ui.say(line),
        }
    }

    /// Lets a question have the terminal to itself.
    pub fn pause<T>(&self, question: impl FnOnce() -> T) -> T {
        match self.bar() {
            Some(bar) => bar.suspend(question),
            None => question(),
        }
    }

    /// Ends the step under way.
    pub fn finish(&self) {
        let Now { bar, .. } = std::mem::take(&mut *self.now());
        if let Some(bar) = bar {
            bar.finish_and_clear();
        }
    }

    fn begin(&self) {
        self.finish();
        if !self.terminal {
            return;
        }
        let bar = ProgressBar::new_spinner();
        // One line, whatever the terminal's width: a longer one would leave its first rows behind.
        if let Ok(style) = ProgressStyle::with_template("  {spinner} {elapsed} {wide_msg}") {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(120));
        self.now().bar = Some(bar);
    }

    fn detail(&self, text: String) {
        if let Some(bar) = self.bar() {
            bar.set_message(text);
        }
    }

    fn bar(&self) -> Option<ProgressBar> {
        self.now().bar.clone()
    }

    fn now(&self) -> MutexGuard<'_, Now> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
