import { pointsOn } from "./kill-points.ts";
import { killThroughPodLife } from "./pod-life-trial.ts";

killThroughPodLife({
  snapshotter: "overlay",
  life: pointsOn("life", "stubborn", "held", "shared", "mapped", "published", "limited", "running", "silent"),
  recovery: pointsOn("recovery"),
});
