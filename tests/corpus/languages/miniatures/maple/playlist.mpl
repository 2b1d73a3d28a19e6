Songs of the summer
1. The long road
2. A short way home
