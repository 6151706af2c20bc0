//! The front door from outside: the `sluice` command, the demo, the Flight SQL service.
#![cfg(test)]

mod broker;
mod cli;
mod cli_serve;
mod crash;
mod demo;
mod flight;
