"""Paxos of one slot: what an acceptor promised and accepted, how a proposer gets a value chosen (A1-A5, B1-B4)."""
