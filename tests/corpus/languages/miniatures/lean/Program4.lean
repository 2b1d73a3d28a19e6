structure Point where
  x : Float
  y : Float
  deriving Repr

def norm (p : Point) : Float := Float.sqrt (p.x * p.x + p.y * p.y)

def main : IO Unit := do
  IO.println s!"{norm { x := 3, y := 4 }}"
