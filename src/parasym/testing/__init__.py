"""Public contract checks: what a new group must satisfy, and what the documentation's tables say."""

from parasym.testing.contract_error import ContractError
from parasym.testing.group_contract import GROUP_LAWS, assert_group_contract

__all__ = [
    "GROUP_LAWS",
    "ContractError",
    "assert_group_contract",
]
