//! What a plan may not do: a client on the network has no business with this machine's files and
//! memory, and nobody with settings that make answers wrong.

use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::logical_expr::{LogicalPlan, SetVariable, Statement};

use crate::authority::Authority;
use crate::error::{Error, Result};

/// Settings whose numbers have bounds: outside of them answers are wrong, or memory is gone.
const BOUNDS: [(&str, u64, u64); 9] = [
    ("datafusion.execution.batch_size", 1, 1 << 20),
    ("datafusion.execution.target_partitions", 0, 1024),
    ("datafusion.execution.planning_concurrency", 0, 1024),
    ("datafusion.execution.meta_fetch_concurrency", 1, 1024),
    (
        "datafusion.execution.minimum_parallel_output_files",
        1,
        1024,
    ),
    (
        "datafusion.execution.soft_max_rows_per_output_file",
        1,
        1 << 40,
    ),
    (
        "datafusion.execution.max_buffered_batches_per_output_file",
        1,
        1024,
    ),
    ("datafusion.execution.parquet.write_batch_size", 1, 1 << 20),
    (
        "datafusion.execution.parquet.max_row_group_size",
        1,
        1 << 30,
    ),
];

/// Refuses what `plan` may not do on behalf of `authority`.
///
/// # Errors
/// [`crate::error::Kind::Denied`] for what only the owner may do,
/// [`crate::error::Kind::Unsupported`] and [`crate::error::Kind::User`] for what nobody may.
pub(super) fn check(plan: &LogicalPlan, authority: Authority) -> Result<()> {
    if let LogicalPlan::Statement(Statement::Prepare(_) | Statement::Execute(_)) = plan {
        return Err(
            Error::unsupported("PREPARE and EXECUTE are not supported in SQL")
                .hint("drivers prepare statements by the protocol; send the query itself"),
        );
    }
    if let LogicalPlan::Statement(Statement::SetVariable(set)) = plan {
        check_value(set)?;
    }
    if authority == Authority::Owner {
        return Ok(());
    }
    let mut copies = false;
    plan.apply_with_subqueries(|node| {
        copies |= matches!(node, LogicalPlan::Copy(_));
        Ok(TreeNodeRecursion::Continue)
    })?;
    if copies {
        return Err(Error::denied("COPY writes files of the server")
            .hint("fetch the rows and write them where you are"));
    }
    let variable = match plan {
        LogicalPlan::Statement(Statement::SetVariable(set)) => &set.variable,
        LogicalPlan::Statement(Statement::ResetVariable(reset)) => &reset.variable,
        _ => return Ok(()),
    };
    if variable.to_lowercase().starts_with("datafusion.runtime") {
        return Err(
            Error::denied(format!("\"{variable}\" belongs to the server"))
                .hint("the owner of the server sets it in the configuration"),
        );
    }
    Ok(())
}

/// Refuses values that the settings' own types let pass. What is no number is left to them.
fn check_value(SetVariable { variable, value }: &SetVariable) -> Result<()> {
    let name = variable.to_lowercase();
    if name.starts_with("sluice.") && name != "sluice.on_error" {
        return Err(Error::user(format!("there is no setting \"{variable}\""))
            .hint("Sluice's own is sluice.on_error"));
    }
    if name == "sluice.on_error" && !["fail", "skip"].contains(&value.as_str()) {
        return Err(Error::user(format!("\"{variable}\" cannot be '{value}'"))
            .hint("it is 'fail', or 'skip' to leave out records that cannot be decoded"));
    }
    let bound = BOUNDS.iter().find(|(bounded, ..)| *bounded == name);
    let (Some((_, least, most)), Ok(number)) = (bound, value.trim().parse::<i128>()) else {
        return Ok(());
    };
    if (i128::from(*least)..=i128::from(*most)).contains(&number) {
        return Ok(());
    }
    Err(Error::user(format!("\"{variable}\" cannot be {value}"))
        .hint(format!("it is a number from {least} to {most}")))
}
