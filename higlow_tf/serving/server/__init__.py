"""A server of SavedModels on Ray Serve that speaks TensorFlow Serving's REST and gRPC. It imports no model of ours."""
