"""Networks that judge a picture or a code: attributes, identity, perceptual distance, latent classifier."""
