"""What is in a cluster already, through the rules of admission: what they would deny, repair and warn of, by owner."""
