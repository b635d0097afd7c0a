/** What selectors look at. */
export interface PodLabels {
  readonly labels: Readonly<Record<string, string>>;
  readonly namespaceLabels: Readonly<Record<string, string>>;
}
