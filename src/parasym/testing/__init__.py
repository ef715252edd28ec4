"""Public contract checks: what a new group or rule must satisfy, and what the documentation's tables say."""

from parasym.testing.contract_error import ContractError
from parasym.testing.group_contract import GROUP_LAWS, assert_group_contract
from parasym.testing.rule_contract import assert_rule_contract

__all__ = [
    "GROUP_LAWS",
    "ContractError",
    "assert_group_contract",
    "assert_rule_contract",
]
