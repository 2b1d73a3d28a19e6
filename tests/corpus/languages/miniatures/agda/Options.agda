{-# OPTIONS --without-K --safe #-}
module Options where
record Unit : Set where
  constructor tt
