//! Which effects the code of a component can get to, by whatever way.
//!
//! It errs on one side: what may be called is called. A call by the number of a table's entry goes to every function of
//! its type in that table, or to one where code and file both say which; a call by a reference goes to every function
//! whose reference is taken.

use super::code::{Call, Code};
use crate::plugin::anatomy::wiring::{CoreFunction, CoreInstance, Exported, Wiring};
use std::collections::{BTreeMap, BTreeSet};
use wasmparser::ExternalKind;

/// The package of the contract's interfaces.
const PACKAGE: &str = "windlass:plugin/";
/// What is said of a function that another component inside this one gives.
const NESTED: &str = "what a component inside it can do";
/// Most calls that are followed. What has more says nothing of effects that it could have.
const MOST_CALLS: usize = 4 << 20;

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Node<'a> {
    /// A function of an instance, imported ones counted.
    Function {
        instance: u32,
        function: u32,
    },
    /// All functions of a type in a table, which is one of an instance.
    Entries {
        table: (u32, u32),
        signature: &'a str,
    },
    /// All functions whose reference is taken.
    References,
    Effect(String),
}

/// A function in a table.
struct Entry<'a> {
    /// None: the file does not say where.
    at: Option<u32>,
    function: Node<'a>,
    signature: &'a str,
}

/// For each function of the modules at the top, by its module and number, the effects that it can get to.
pub fn effects(wiring: &Wiring<'_>, codes: &[Option<Code<'_>>]) -> BTreeMap<(usize, u32), BTreeSet<String>> {
    let graph = Graph { wiring, codes };
    let mut callers: BTreeMap<Node<'_>, BTreeSet<Node<'_>>> = BTreeMap::new();
    let mut calls = 0usize;
    let mut found = BTreeMap::new();
    graph.edges(&mut |from, to| {
        calls += 1;
        if calls <= MOST_CALLS {
            callers.entry(to).or_default().insert(from);
        }
    });
    let effects: Vec<_> = callers.keys().filter(|node| matches!(node, Node::Effect(_))).cloned().collect();
    for effect in effects {
        let Node::Effect(name) = &effect else { continue };
        let mut seen = BTreeSet::from([&effect]);
        let mut open = vec![&effect];
        while let Some(node) = open.pop() {
            if let Node::Function { instance, function } = node
                && let Some((module, _)) = graph.code(*instance)
            {
                found.entry((module, *function)).or_insert_with(BTreeSet::new).insert(name.clone());
            }
            for caller in callers.get(node).into_iter().flatten() {
                if seen.insert(caller) {
                    open.push(caller);
                }
            }
        }
    }
    found
}

#[derive(Clone, Copy)]
struct Graph<'g, 'a> {
    wiring: &'g Wiring<'a>,
    codes: &'g [Option<Code<'a>>],
}

impl<'g, 'a> Graph<'g, 'a> {
    /// The module of an instance, and its code.
    fn code(self, instance: u32) -> Option<(usize, &'g Code<'a>)> {
        match self.wiring.core_instances.get(instance as usize)? {
            CoreInstance::Of { module, .. } => {
                let module = *module as usize;
                Some((module, self.codes.get(module)?.as_ref()?))
            }
            CoreInstance::Items(_) => None,
        }
    }

    fn edges(self, call: &mut impl FnMut(Node<'g>, Node<'g>)) {
        let instances: Vec<_> = (0..self.wiring.core_instances.len() as u32)
            .filter_map(|instance| Some((instance, self.code(instance)?.1)))
            .collect();
        let said = !instances.iter().any(|(_, code)| code.writes_tables);
        let mut tables: BTreeMap<(u32, u32), Vec<Entry<'g>>> = BTreeMap::new();
        for (instance, code) in &instances {
            let node = |function: u32| Node::Function { instance: *instance, function };
            let signature = |function: u32| code.signature(*code.function_types.get(function as usize)?);
            for elements in &code.elements {
                let table = elements.table.and_then(|table| self.table(*instance, table));
                for (index, function) in elements.functions.iter().enumerate() {
                    let Some(signature) = signature(*function) else { continue };
                    match table {
                        Some(table) => tables.entry(table).or_default().push(Entry {
                            at: elements.first.and_then(|first| first.checked_add(index as u32)),
                            function: node(*function),
                            signature,
                        }),
                        None => call(Node::References, node(*function)),
                    }
                }
            }
            for function in &code.referenced {
                call(Node::References, node(*function));
            }
            for function in 0..code.imported_functions.len() as u32 {
                if let Some(target) = self.imported(*instance, function) {
                    call(node(function), target);
                }
            }
        }
        for (table, entries) in &tables {
            for Entry { function, signature, .. } in entries {
                call(Node::Entries { table: *table, signature }, function.clone());
            }
        }
        for (instance, code) in &instances {
            for (own, function) in code.functions.iter().enumerate() {
                let from = Node::Function { instance: *instance, function: code.number(own) };
                for one in &function.calls {
                    match *one {
                        Call::Function(function) => {
                            call(from.clone(), Node::Function { instance: *instance, function });
                        }
                        Call::Reference => call(from.clone(), Node::References),
                        Call::Table { table, ty, entry } => {
                            let (Some(table), Some(signature)) =
                                (self.table(*instance, table), code.signature(ty))
                            else {
                                continue;
                            };
                            let entries = tables.get(&table).map_or(&[][..], Vec::as_slice);
                            let exact: Vec<_> = entries.iter().filter(|one| one.at == entry).collect();
                            if said && entry.is_some() && !exact.is_empty() {
                                exact.into_iter().for_each(|to| call(from.clone(), to.function.clone()));
                            } else {
                                call(from.clone(), Node::Entries { table, signature });
                            }
                            if !said {
                                call(from.clone(), Node::References);
                            }
                        }
                    }
                }
            }
        }
    }

    /// What an argument of an instance has under a name.
    fn argument(
        self,
        instance: u32,
        (module, name): (&str, &str),
        kind: ExternalKind,
    ) -> Option<Found<'g, 'a>> {
        let CoreInstance::Of { arguments, .. } = self.wiring.core_instances.get(instance as usize)? else {
            return None;
        };
        let from = *arguments.get(module)?;
        // An instance is made of earlier ones only: so this ends.
        (from < instance).then_some(())?;
        self.export(from, name, kind)
    }

    fn export(self, instance: u32, name: &str, kind: ExternalKind) -> Option<Found<'g, 'a>> {
        match self.wiring.core_instances.get(instance as usize)? {
            CoreInstance::Of { .. } => {
                let (is, index) = *self.code(instance)?.1.exports.get(name)?;
                (is == kind).then_some(Found::Of { instance, index })
            }
            CoreInstance::Items(items) => {
                let (is, index) = *items.get(name)?;
                (is == kind).then_some(())?;
                let exported = match kind {
                    ExternalKind::Func => match self.wiring.core_functions.get(index as usize)? {
                        CoreFunction::Exported(exported) => exported,
                        other => return Some(Found::Made(other)),
                    },
                    ExternalKind::Table => self.wiring.core_tables.get(index as usize)?,
                    _ => return None,
                };
                let Exported { instance: of, name } = exported;
                (*of < instance).then_some(())?;
                self.export(*of, name, kind)
            }
        }
    }

    /// The table that an instance knows under a number, by where it was made.
    fn table(self, mut instance: u32, mut table: u32) -> Option<(u32, u32)> {
        loop {
            let (_, code) = self.code(instance)?;
            let Some(import) = code.imported_tables.get(table as usize) else {
                return Some((instance, table));
            };
            match self.argument(instance, *import, ExternalKind::Table)? {
                Found::Of { instance: of, index } => (instance, table) = (of, index),
                Found::Made(_) => return None,
            }
        }
    }

    /// What an instance's imported function is.
    fn imported(self, instance: u32, function: u32) -> Option<Node<'g>> {
        let (_, code) = self.code(instance)?;
        let import = *code.imported_functions.get(function as usize)?;
        match self.argument(instance, import, ExternalKind::Func)? {
            Found::Of { instance, index } => Some(Node::Function { instance, function: index }),
            Found::Made(CoreFunction::Lowered(index)) => {
                let Some((interface, name)) = self.wiring.imported_function(*index) else {
                    return Some(Node::Effect(NESTED.into()));
                };
                let interface = interface.strip_prefix(PACKAGE)?;
                let interface = interface.split_once('@').map_or(interface, |(interface, _)| interface);
                Some(Node::Effect(format!("{interface}.{name}")))
            }
            Found::Made(_) => None,
        }
    }
}

/// Where an item comes from.
enum Found<'g, 'a> {
    Of { instance: u32, index: u32 },
    Made(&'g CoreFunction<'a>),
}
