import type { ImageReference } from "../reference.ts";
import type { RegistryCredentials } from "../registry-credentials.ts";

/** The pod that an image is pulled for, as far as the caller tells. */
export interface PullingPod {
  /** "" where it is unknown, as for all of these. */
  readonly namespace: string;
  readonly serviceAccount: string;
  readonly annotations: Readonly<Record<string, string>>;
}

export const noPod: PullingPod = { namespace: "", serviceAccount: "", annotations: {} };

/** What credentials are wanted for. */
export interface CredentialRequest {
  readonly reference: ImageReference;
  readonly pod: PullingPod;
}

/** A place where this node finds credentials for pulls that bring none. */
export interface CredentialSource extends Disposable {
  /** Names it in errors. */
  readonly name: string;
  /**
   * The credentials for an image, the best first; none when it is not the source's business.
   * @throws AgentError without any secret in its text
   */
  find(request: CredentialRequest, signal: AbortSignal): Promise<readonly RegistryCredentials[]>;
  /** Two pulls of one image get the same credentials if this is the same for both; "" where the pod does not matter. */
  audience(request: CredentialRequest): string;
  /** Forgets what it keeps for the image: a registry has refused it. */
  forget(request: CredentialRequest): void;
}
