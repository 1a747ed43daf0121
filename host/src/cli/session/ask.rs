//! The operator at the terminal: the plan and its question, secrets, instructions.

use super::follow::Agreed;
use super::show::Shown;
use crate::capability::operator::{ACKNOWLEDGEMENT, Acknowledged, Operator};
use crate::capability::secrets::{Secret, source};
use crate::cli::ui::Ui;
use crate::model::{BoundHook, Event, Moment, PlannedStep, Roles};
use crate::report;
use crate::run::{Asker, GoAhead};
use std::sync::Arc;

pub struct TerminalOperator {
    ui: Ui,
    shown: Arc<Shown>,
    given: Given,
    impact: String,
    agreed: Agreed,
    /// Only this controller can open what the run seals.
    alone: bool,
}

/// What the operator answered beforehand, on the command line.
#[derive(Debug, Clone, Default)]
pub struct Given {
    /// `--yes`.
    pub yes: bool,
    /// `--ack TOKEN`.
    pub ack: Option<String>,
}

impl TerminalOperator {
    pub fn new(ui: Ui, shown: Arc<Shown>, given: Given, impact: String, agreed: Agreed, alone: bool) -> Self {
        Self { ui, shown, given, impact, agreed, alone }
    }
}

impl Asker for TerminalOperator {
    fn go_ahead(&self, roles: Option<&Roles>, steps: &[PlannedStep], hooks: &[BoundHook]) -> GoAhead {
        if self.ui.is_json() {
            self.ui.json(&Event::Planned {
                title: String::new(),
                impact: self.impact.clone(),
                steps: steps.to_vec(),
                hooks: hooks.to_vec(),
            });
        } else {
            for line in plan_lines(steps, hooks, &self.impact) {
                self.shown.line(&line);
            }
            if self.alone {
                self.shown.line(report::ALONE);
            }
        }
        // The token of an acknowledgement is for what the procedure asks later, and is judged there.
        let ack = self.given.ack.as_deref().filter(|token| !token.starts_with(ACKNOWLEDGEMENT));
        if let Err(fault) = (self.agreed)(roles, steps, ack) {
            return GoAhead::Refused(fault);
        }
        if self.given.yes {
            return GoAhead::Yes;
        }
        match self.shown.pause(|| self.ui.ask("Go ahead?")) {
            Some(true) => GoAhead::Yes,
            Some(false) => GoAhead::No,
            None => GoAhead::Nobody,
        }
    }
}

impl Operator for TerminalOperator {
    fn confirm(&self, question: &str, impact: &str) -> Option<bool> {
        if !impact.is_empty() {
            self.shown.line(impact);
        }
        if self.given.yes {
            self.shown.line(&format!("{question} yes (--yes)"));
            return Some(true);
        }
        self.shown.pause(|| self.ui.ask(question))
    }

    fn acknowledge(&self, question: &str, impact: &str, token: &str) -> Acknowledged {
        self.shown.line(impact);
        match &self.given.ack {
            Some(given) if given == token => {
                self.shown.line(&format!("{question} acknowledged (--ack {token})"));
                Acknowledged::Yes
            }
            Some(_) => Acknowledged::OtherToken,
            None => match self.shown.pause(|| self.ui.ask(question)) {
                Some(true) => Acknowledged::Yes,
                Some(false) => Acknowledged::No,
                None => Acknowledged::Nobody,
            },
        }
    }

    fn secret(&self, prompt: &str) -> Option<std::io::Result<Secret>> {
        if !self.ui.interactive {
            return None;
        }
        Some(self.shown.pause(|| source::terminal(prompt)))
    }

    fn instruct(&self, instruction: &str) -> Option<bool> {
        self.shown.line(instruction);
        self.shown.pause(|| self.ui.ask("Is it done?"))
    }
}

fn plan_lines(steps: &[PlannedStep], hooks: &[BoundHook], impact: &str) -> Vec<String> {
    let width = steps.iter().map(|step| step.id.as_str().len()).max().unwrap_or(0);
    let mut lines = vec!["what will happen:".to_string()];
    let called = |moment: &Moment, lines: &mut Vec<String>| {
        for hook in hooks.iter().filter(|bound| bound.at == *moment) {
            lines.push(format!("  {:<width$}  hook {} {}", "", hook.hook, hook.at));
        }
    };
    called(&Moment::BeforeRun, &mut lines);
    for step in steps {
        called(&Moment::BeforeStep(step.id.clone()), &mut lines);
        lines.push(format!("  {:<width$}  {}{}", step.id, step.title, report::on(&step.nodes)));
        if !step.impact.is_empty() {
            lines.push(format!("  {:<width$}  impact: {}", "", step.impact));
        }
        called(&Moment::AfterStep(step.id.clone()), &mut lines);
    }
    called(&Moment::AfterRun, &mut lines);
    if !impact.is_empty() {
        lines.push(format!("impact: {impact}"));
    }
    lines
}
