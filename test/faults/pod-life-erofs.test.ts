import { pointsOn } from "./kill-points.ts";
import { killThroughPodLife } from "./pod-life-trial.ts";

/** Beside the points of its own, those of other courses that depend on the snapshotter. */
killThroughPodLife({
  snapshotter: "erofs",
  life: [
    ...pointsOn("indexed"),
    ...pointsOn("life", "running").filter(([name]) => /^(pull|create|remove)\./.test(name)),
    ...pointsOn("mapped").filter(([name]) => name.startsWith("create.")),
  ],
  recovery: pointsOn("recovery", "indexed-recovery"),
});
