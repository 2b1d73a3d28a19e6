module Server where
import Network.Wai
-- We could import Data.Complex here, but need not.
serve :: Application
serve = undefined
