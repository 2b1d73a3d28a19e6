{-# LANGUAGE OverloadedStrings #-}
module Regress (slope) where

import qualified Data.Vector.Unboxed as V
import Statistics.LinearRegression (linearRegression)

slope :: V.Vector Double -> V.Vector Double -> Double
slope xs ys = snd (linearRegression xs ys)
