module Eigen where

import           Numeric.LinearAlgebra
                 (Matrix, eigSH, trustSym)

top :: Matrix Double -> Double
top = undefined
