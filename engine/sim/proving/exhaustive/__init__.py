"""Small clusters, searched whole: every order of every message and crash, driven through the production step functions.

What is modelled, and why what is left out can show nothing new:
- The network is the growing set of all that was ever sent. Whoever takes messages may take any of them at any time,
  again, or never: loss, repeats and any order come for free. A network that forgets could only do less.
- A step is input, commit, send. A crash before the commit is an input that never came. A crash after it is an answer
  that never arrives, and a memory that is the disk's from then on: acceptors may start again whenever the two differ,
  and a proposer may at any time drop its attempt and take a ballot as its disk would have it (B1). So each site may
  crash and come back at every point, as often as it likes.
- What a proposer counts is seen by nobody until a majority is complete, and votes stay deliverable: so all that it
  counts for one ballot is counted in one step, every order and repeat of it tried; given up halfway it is as if not
  begun.
- Refusals, timers and backoff only say when a proposer goes on to a higher ballot. Here it may at any time.
- Rules name acceptors only to count them once: states that differ by who is who among acceptors are one state.
- Votes that nobody counts any more come to nothing (B3). Where this is shown they are kept; else, states that differ
  by them alone are one state, which leaves one of a hundred.
- Proposers and acceptors are on sites of their own. On one site, a message to oneself is never late and both crash
  together: the network and the crashes have that among their choices. Where it matters (ballot 0, L2), they share one.
- Where the log changes who votes (`changing`), each slot is judged by those who vote there, as a replay of it says. A
  leader may hear of a change there between two promises that it counts.

What a step does is never written down here: the production functions do it, once for each distinct argument, for they
are pure, and states are numbers for their frozen values.
"""
