//! How the modules at the top of a component are wired: which of their imports is which function of an interface.
//!
//! Only what is needed for that is kept of a component: its core modules and instances, its functions on either side
//! of the canonical ABI, and how far each index space has come. A component that was not validated may name what is
//! not there, so every look-up can fail.

use super::super::inspect::shown;
use super::{Imported, LONGEST_NAME, MOST};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use wasmparser::{
    CanonicalFunction, ComponentAlias, ComponentExternalKind, ComponentInstance, ComponentOuterAliasKind,
    ComponentTypeRef, ExternalKind, Instance, Parser, Payload,
};

/// A module at the top.
#[derive(Debug, Clone)]
pub enum Module {
    /// Where its bytes are in the file.
    Here(Range<usize>),
    /// Of elsewhere: imported, or out of an instance.
    Elsewhere,
}

/// A core instance.
#[derive(Debug, Clone)]
pub enum CoreInstance<'a> {
    /// Of a module; by the names of its arguments, instances.
    Of { module: u32, arguments: BTreeMap<&'a str, u32> },
    /// Items that were put together: by name, their kind and index.
    Items(BTreeMap<&'a str, (ExternalKind, u32)>),
}

/// A core function, table, memory or global that comes out of an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exported<'a> {
    pub instance: u32,
    pub name: &'a str,
}

/// A core function at the top.
#[derive(Debug, Clone, Copy)]
pub enum CoreFunction<'a> {
    /// A function of the component's, by its index, as code can call it.
    Lowered(u32),
    Exported(Exported<'a>),
    /// A part of the component model itself: it drops a resource, …
    BuiltIn,
}

/// A function of the component's.
#[derive(Debug, Clone, Copy)]
enum Function<'a> {
    /// Of an instance.
    Of {
        instance: u32,
        name: &'a str,
    },
    Other,
}

/// What is at the top of a component.
#[derive(Debug, Default)]
pub struct Wiring<'a> {
    pub modules: Vec<Module>,
    pub core_instances: Vec<CoreInstance<'a>>,
    pub core_functions: Vec<CoreFunction<'a>>,
    pub core_tables: Vec<Exported<'a>>,
    functions: Vec<Function<'a>>,
    /// Of each instance, the interface that it was imported as.
    instances: Vec<Option<String>>,
    /// Those that are handed on as they are.
    whole: BTreeSet<u32>,
    pub exports: Vec<&'a str>,
    /// How many types the component has.
    pub types: u32,
    /// Whether a component inside it has code of its own.
    pub nested_code: bool,
    /// What modules at any depth ask of others by name.
    pub links: BTreeSet<&'a str>,
}

impl<'a> Wiring<'a> {
    pub fn read(component: &'a [u8]) -> wasmparser::Result<Self> {
        let mut wiring = Self::default();
        // For each encoding that is open: whether it is a component.
        let mut open: Vec<bool> = Vec::new();
        for payload in Parser::new(0).parse_all(component) {
            let payload = payload?;
            wiring.link(&payload)?;
            match &payload {
                Payload::Version { encoding, .. } => {
                    let is_component = *encoding == wasmparser::Encoding::Component;
                    wiring.nested_code |= !is_component && open.len() > 1;
                    open.push(is_component);
                }
                Payload::End(_) => drop(open.pop()),
                _ if open.len() == 1 => wiring.take(payload, component.len())?,
                _ => {}
            }
        }
        Ok(wiring)
    }

    fn link(&mut self, payload: &Payload<'a>) -> wasmparser::Result<()> {
        match payload {
            Payload::ImportSection(section) => {
                for import in section.clone().into_imports() {
                    self.links.insert(import?.module);
                }
            }
            Payload::InstanceSection(section) => {
                for instance in section.clone() {
                    if let Instance::Instantiate { args, .. } = instance? {
                        self.links.extend(args.iter().map(|argument| argument.name));
                    }
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn take(&mut self, payload: Payload<'a>, length: usize) -> wasmparser::Result<()> {
        match payload {
            Payload::ModuleSection { unchecked_range, .. } => {
                // A module that says it goes on behind the file's end is found by who parses it.
                let at = |offset: u64| usize::try_from(offset).unwrap_or(length).min(length);
                self.modules.push(Module::Here(at(unchecked_range.start)..at(unchecked_range.end)));
            }
            Payload::InstanceSection(section) => {
                for instance in section {
                    self.core_instances.push(match instance? {
                        Instance::Instantiate { module_index, args } => CoreInstance::Of {
                            module: module_index,
                            arguments: args.iter().map(|argument| (argument.name, argument.index)).collect(),
                        },
                        Instance::FromExports(items) => CoreInstance::Items(
                            items.iter().map(|item| (item.name, (item.kind, item.index))).collect(),
                        ),
                    });
                }
            }
            Payload::ComponentAliasSection(section) => {
                for alias in section {
                    self.alias(alias?);
                }
            }
            Payload::ComponentCanonicalSection(section) => {
                for function in section {
                    match function? {
                        CanonicalFunction::Lift { .. } => self.functions.push(Function::Other),
                        CanonicalFunction::Lower { func_index, .. } => {
                            self.core_functions.push(CoreFunction::Lowered(func_index));
                        }
                        _ => self.core_functions.push(CoreFunction::BuiltIn),
                    }
                }
            }
            Payload::ComponentTypeSection(section) => {
                for ty in section {
                    ty?;
                    self.types += 1;
                }
            }
            Payload::ComponentInstanceSection(section) => {
                for instance in section {
                    let handed: Vec<u32> = match instance? {
                        ComponentInstance::Instantiate { args, .. } => {
                            let instances = args.iter().filter(|argument| is_instance(argument.kind));
                            instances.map(|argument| argument.index).collect()
                        }
                        ComponentInstance::FromExports(items) => {
                            let instances = items.iter().filter(|item| is_instance(item.kind));
                            instances.map(|item| item.index).collect()
                        }
                    };
                    self.whole.extend(handed);
                    self.instances.push(None);
                }
            }
            Payload::ComponentImportSection(section) => {
                for import in section {
                    let import = import?;
                    match import.ty {
                        ComponentTypeRef::Instance(_) => {
                            self.instances.push(Some(import.name.full_name().into_owned()));
                        }
                        ComponentTypeRef::Func(_) => self.functions.push(Function::Other),
                        ComponentTypeRef::Type(_) => self.types += 1,
                        ComponentTypeRef::Module(_) => self.modules.push(Module::Elsewhere),
                        ComponentTypeRef::Component(_) | ComponentTypeRef::Value(_) => {}
                    }
                }
            }
            Payload::ComponentExportSection(section) => {
                for export in section {
                    let export = export?;
                    self.exports.push(export.name.name);
                    if is_instance(export.kind) {
                        self.whole.insert(export.index);
                    }
                    // An export is an item of its own, behind all that were there before.
                    self.item(export.kind, Function::Other);
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn alias(&mut self, alias: ComponentAlias<'a>) {
        match alias {
            ComponentAlias::InstanceExport { kind, instance_index: instance, name } => {
                self.item(kind, Function::Of { instance, name });
            }
            ComponentAlias::CoreInstanceExport { kind, instance_index: instance, name } => match kind {
                ExternalKind::Func | ExternalKind::FuncExact => {
                    self.core_functions.push(CoreFunction::Exported(Exported { instance, name }));
                }
                ExternalKind::Table => self.core_tables.push(Exported { instance, name }),
                ExternalKind::Memory | ExternalKind::Global | ExternalKind::Tag => {}
            },
            ComponentAlias::Outer { kind, .. } => match kind {
                ComponentOuterAliasKind::Type => self.types += 1,
                ComponentOuterAliasKind::CoreModule => self.modules.push(Module::Elsewhere),
                ComponentOuterAliasKind::CoreType | ComponentOuterAliasKind::Component => {}
            },
        }
    }

    fn item(&mut self, kind: ComponentExternalKind, function: Function<'a>) {
        match kind {
            ComponentExternalKind::Func => self.functions.push(function),
            ComponentExternalKind::Type => self.types += 1,
            ComponentExternalKind::Instance => self.instances.push(None),
            ComponentExternalKind::Module => self.modules.push(Module::Elsewhere),
            ComponentExternalKind::Component | ComponentExternalKind::Value => {}
        }
    }

    /// How many functions the component has.
    pub fn functions(&self) -> u32 {
        self.functions.len() as u32
    }

    /// Returns a function of an imported interface, by its index among the component's.
    pub fn imported_function(&self, index: u32) -> Option<(&str, &'a str)> {
        match *self.functions.get(index as usize)? {
            Function::Of { instance, name } => {
                Some((self.instances.get(instance as usize)?.as_deref()?, name))
            }
            Function::Other => None,
        }
    }

    /// Every interface that is imported, with what is taken of it.
    pub fn imported(&self) -> Vec<Imported> {
        let mut all = Vec::new();
        for (index, interface) in self.instances.iter().enumerate() {
            let Some(interface) = interface else { continue };
            let index = index as u32;
            let names = self.functions.iter().filter_map(|function| match function {
                Function::Of { instance, name } if *instance == index => Some(shown(name, LONGEST_NAME)),
                _ => None,
            });
            let functions: BTreeSet<String> = names.take(MOST).collect();
            all.push(Imported {
                interface: shown(interface, LONGEST_NAME),
                functions: functions.into_iter().collect(),
                whole: self.whole.contains(&index),
            });
            if all.len() == MOST {
                break;
            }
        }
        all
    }
}

fn is_instance(kind: ComponentExternalKind) -> bool {
    kind == ComponentExternalKind::Instance
}
