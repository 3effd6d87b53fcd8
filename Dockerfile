# Rootplex with the programs it calls:  docker build -t rootplex .
#   docker run --rm -v "$PWD:/work" rootplex check board.yaml
# With QEMU in it:  docker build --build-arg MORE="qemu-system-arm qemu-efi-aarch64" -t rootplex .
FROM debian:trixie-slim
ARG MORE=""
RUN apt-get update -q \
 && apt-get install -q -y --no-install-recommends acpica-tools ca-certificates cpp device-tree-compiler python3 python3-venv $MORE \
 && rm -rf /var/lib/apt/lists/*
COPY . /src
RUN python3 -m venv /opt/rootplex \
 && /opt/rootplex/bin/pip install -q --no-cache-dir /src \
 && rm -rf /src \
 && ln -s /opt/rootplex/bin/rootplex /usr/local/bin/rootplex \
 && useradd --create-home --uid 1000 rootplex
USER rootplex
WORKDIR /work
ENTRYPOINT ["rootplex"]
CMD ["--help"]
