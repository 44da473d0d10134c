//! What attackers try on OAuth servers, each by its number in our list of attacks, and what must come of it.

mod authorize;
mod refresh;
mod token;
