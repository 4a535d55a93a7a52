# stream-rnn with its models. docs/installing.md has how to build it and run it.
FROM python:3.12-slim-bookworm AS build
WORKDIR /source
COPY pyproject.toml README.md LICENSE ./
COPY clients/web clients/web
COPY models models
COPY stream_rnn stream_rnn
RUN pip wheel --no-cache-dir --no-deps --wheel-dir /wheels .

FROM python:3.12-slim-bookworm
# ALSA, for MIDI: run it with --device /dev/snd --group-add audio.
RUN apt-get update \
  && apt-get install -y --no-install-recommends libasound2 \
  && rm -rf /var/lib/apt/lists/*
# torch first, since it is large and seldom another. On Linux it comes with CUDA, unless this names
# an index of CPU builds, such as PyTorch's own.
ARG TORCH_INDEX=
COPY constraints.txt /opt/
RUN pip install --no-cache-dir -c /opt/constraints.txt ${TORCH_INDEX:+--index-url "$TORCH_INDEX"} torch
RUN --mount=type=bind,from=build,source=/wheels,target=/wheels \
  pip install --no-cache-dir -c /opt/constraints.txt /wheels/*.whl
# What is recorded or learnt (--record, [midi] learnt) goes to where this account may write.
RUN useradd --create-home --uid 10001 --groups audio performer
USER performer
WORKDIR /home/performer
ENV PYTHONUNBUFFERED=1
EXPOSE 8765/tcp 8766/udp
# The engine loads all models before it is healthy.
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --retries=3 \
  CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8765/healthz', timeout=2)"]
ENTRYPOINT ["stream-rnn"]
# Reached from outside of the container, so it wants STREAM_RNN_TOKEN, or --anyone.
CMD ["serve", "--host", "0.0.0.0", "--no-osc"]
