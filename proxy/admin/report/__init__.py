"""Reports: what was compared, what differs, and how sure that is. `content` has what they tell, `formats` how."""
