import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import type { ServerOptions } from "node:https";
import { join } from "node:path";

/** What a certificate says; made for a registry at 127.0.0.1 that all is well with, unless told otherwise. */
export interface CertificateSpec {
  /** Who signs it. Default the authority of the tests. */
  readonly by?: "authority" | "foreign-authority" | "itself";
  /** As openssl-ca(1) takes them. */
  readonly days?: readonly [notBefore: string, notAfter: string];
  /** subjectAltName. */
  readonly names?: string;
  /** extendedKeyUsage. */
  readonly usage?: string;
}

/** Makes keys and certificates by openssl, in a folder of their own. */
export class Certificates {
  readonly directory: string;

  constructor(directory: string) {
    this.directory = directory;
    mkdirSync(directory);
    for (const name of ["authority", "foreign-authority"]) {
      this.#openssl("req", "-x509", ...this.#newKey(name), "-out", `${name}.crt`, "-days", "9", "-subj", `/CN=${name}`);
    }
    writeFileSync(
      join(directory, "index.cnf"),
      "[ca]\ndefault_ca=c\n[c]\ndatabase=index.txt\nrand_serial=yes\npolicy=p\nunique_subject=no\n[p]\nCN=supplied\n",
    );
  }

  /** @returns what a TLS server needs to show it */
  make(
    name: string,
    { by = "authority", days, names = "IP:127.0.0.1", usage = "serverAuth" }: CertificateSpec = {},
  ): ServerOptions {
    const extensions = `subjectAltName=${names}\nextendedKeyUsage=${usage}\n`;
    writeFileSync(join(this.directory, `${name}.ext`), extensions);
    this.#openssl("req", ...this.#newKey(name), "-out", `${name}.csr`, "-subj", `/CN=${name}`);
    const signer = by === "itself" ? name : by;
    if (by === "itself")
      this.#openssl(
        "req",
        "-x509",
        "-key",
        `${name}.key`,
        "-out",
        `${name}.crt`,
        "-days",
        "9",
        "-subj",
        `/CN=${name}`,
        "-addext",
        `subjectAltName=${names}`,
      );
    else this.#sign(name, signer, days ?? ["20250101000000Z", "20490101000000Z"]);
    return { key: this.read(`${name}.key`), cert: this.read(`${name}.crt`) };
  }

  read(name: string): Buffer {
    return readFileSync(join(this.directory, name));
  }

  #sign(name: string, signer: string, [notBefore, notAfter]: readonly [string, string]): void {
    writeFileSync(join(this.directory, "index.txt"), "");
    this.#openssl(
      ...[
        "ca",
        "-batch",
        "-config",
        "index.cnf",
        "-cert",
        `${signer}.crt`,
        "-keyfile",
        `${signer}.key`,
        "-md",
        "sha256",
      ],
      ...["-outdir", ".", "-notext", "-startdate", notBefore, "-enddate", notAfter],
      ...["-extfile", `${name}.ext`, "-in", `${name}.csr`, "-out", `${name}.crt`, "-name", "c"],
    );
  }

  #newKey(name: string): readonly string[] {
    return ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", `${name}.key`];
  }

  #openssl(...args: readonly string[]): void {
    execFileSync("openssl", args, { cwd: this.directory, stdio: "pipe" });
  }
}
