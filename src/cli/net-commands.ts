import type { Command } from "commander";
import { AgentError } from "../common/errors.ts";
import { AgentClient } from "./agent-client.ts";
import { type ClientOptions, clientCommand } from "./client-options.ts";
import { checkNetwork, listNetwork, mapNetwork, type NetList, netLists } from "./net-view.ts";

/** `net` and what is below it. */
export function addNet(program: Command): void {
  const net = program.command("net").description("show what the network has given out, and compare it with the kernel");
  for (const list of Object.keys(netLists) as NetList[]) {
    clientCommand(net.command(list))
      .description(netLists[list])
      .action(async ({ address, output }: ClientOptions) => {
        using client = new AgentClient(address);
        process.stdout.write(await listNetwork(client, list, output));
      });
  }
  addComparison(net, "mapping", "show each interface's record beside the kernel; fails if any differs", mapNetwork);
  addComparison(net, "check", "compare all records with the kernel; fails if any differs", checkNetwork);
}

function addComparison(net: Command, name: string, description: string, look: typeof mapNetwork): void {
  clientCommand(net.command(name))
    .description(description)
    .action(async ({ address, output }: ClientOptions) => {
      using client = new AgentClient(address);
      const { text, differences } = await look(client, output);
      process.stdout.write(text);
      if (differences > 0) throw new AgentError("Internal", `Records and kernel differ in ${differences} places`);
    });
}
