module Post where
import Data.Map qualified as M
import Numeric.SpecFunctions qualified as S

g :: Double -> Double
g = S.logGamma
