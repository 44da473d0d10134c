//! The access fence: the model alone, and the real scripts against the model.

mod model;
mod scripts;
