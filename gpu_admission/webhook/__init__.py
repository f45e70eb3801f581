"""The webhook: AdmissionReview in and out, the server around it."""
