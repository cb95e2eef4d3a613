"""What more processes bring, what an order costs each kind of component, and what a dead broker costs."""
