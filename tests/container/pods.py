"""Makes of a manifest what podman 4.3 plays: `pods.py FILE JSON`, where JSON fills placeholders:
{"images": {NAME IN THE MANIFEST: IMAGE}, "args": {CONTAINER: [ARGUMENT]}}.

Pods, Deployments, ConfigMaps and claims stay. A Job and a StatefulSet become a plain Pod, the
latter's with the claims that were made before; a native sidecar becomes a container of its pod. All else
is nothing that podman knows, and is left out. Nothing is judged here.
"""

import json
import sys

import yaml


def container(spec, fill):
    spec["image"] = fill["images"][spec["image"]]
    spec["args"] = fill["args"].get(spec["name"], spec.get("args", []))
    # Probes are the kubelet's matter, and podman would publish ports on the host.
    for other in ("startupProbe", "readinessProbe", "livenessProbe", "resources", "ports"):
        spec.pop(other, None)
    return spec


def pod(spec, fill):
    prepared = spec.get("initContainers", [])
    native = [one for one in prepared if one.pop("restartPolicy", None) == "Always"]
    spec["initContainers"] = [container(one, fill) for one in prepared if one not in native]
    spec["containers"] = [container(one, fill) for one in native + spec["containers"]]
    for volume in spec.get("volumes", []):
        # podman 4.3 ends with a fault of its own where the default is left out.
        for source in ("secret", "configMap"):
            if source in volume:
                volume[source].setdefault("optional", False)
    return spec


def plain(name, labels, spec, fill):
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": labels},
        "spec": pod(spec, fill),
    }


def stateful(document, fill):
    name = document["metadata"]["name"] + "-0"
    template = document["spec"]["template"]
    for claim in document["spec"].get("volumeClaimTemplates", []):
        volume = claim["metadata"]["name"]
        template["spec"]["volumes"].append(
            {"name": volume, "persistentVolumeClaim": {"claimName": f"{volume}-{name}"}}
        )
    return plain(name, template["metadata"]["labels"], template["spec"], fill)


def played(document, fill):
    document["metadata"].pop("namespace", None)
    kind = document["kind"]
    if kind in ("ConfigMap", "PersistentVolumeClaim"):
        yield document
    elif kind == "Pod":
        pod(document["spec"], fill)
        yield document
    elif kind == "Deployment":
        spec = document["spec"]["template"]["spec"]
        document["spec"]["replicas"] = 1
        pod(spec, fill)
        if spec["initContainers"]:
            # Under `Always`, which a Deployment's pods have, podman 4.3 starts a container that
            # prepares again and again, and then cannot remove it.
            spec["restartPolicy"] = "OnFailure"
        yield document
    elif kind == "Job":
        template = document["spec"]["template"]
        labels = template.get("metadata", {}).get("labels", {})
        yield plain(document["metadata"]["name"], labels, template["spec"], fill)
    elif kind == "StatefulSet":
        yield stateful(document, fill)


with open(sys.argv[1]) as file:
    documents = list(yaml.safe_load_all(file))
fill = json.loads(sys.argv[2])
print(yaml.safe_dump_all([out for one in documents for out in played(one, fill)]))
