// The stack of a generated template as people write it with the CDK: `node stack.js FRAGMENT`.
// A task with the shorthand is a task definition whose image comes `fromRegistry` with credentials;
// everything else is taken over as it is.
const { readFileSync } = require('node:fs');
const { App, CfnParameter, CfnResource, Stack } = require('aws-cdk-lib');
const ecs = require('aws-cdk-lib/aws-ecs');
const iam = require('aws-cdk-lib/aws-iam');
const { Secret } = require('aws-cdk-lib/aws-secretsmanager');

const { Parameters, Resources } = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const stack = new Stack(new App(), 'Benchmark');
const roles = {};
const secrets = {};

function role(arn) {
  const id = arn['Fn::GetAtt'][0];
  roles[id] ??= new iam.Role(stack, id, {
    assumedBy: new iam.ServicePrincipal('ecs-tasks.amazonaws.com'),
    managedPolicies: [
      iam.ManagedPolicy.fromAwsManagedPolicyName('service-role/AmazonECSTaskExecutionRolePolicy'),
    ],
  });
  return roles[id];
}

function secret(name) {
  secrets[name] ??= Secret.fromSecretNameV2(stack, name.replace('/', '-'), name);
  return secrets[name];
}

function task(id, properties) {
  const definition = new ecs.FargateTaskDefinition(stack, id, {
    cpu: Number(properties.Cpu),
    memoryLimitMiB: Number(properties.Memory),
    executionRole: role(properties.ExecutionRoleArn),
  });
  for (const container of properties.ContainerDefinitions) {
    const { Image, Secret: name } = container.PrivateImage;
    const options = container.LogConfiguration.Options;
    definition.addContainer(container.Name, {
      image: ecs.ContainerImage.fromRegistry(Image, { credentials: secret(name) }),
      essential: container.Essential,
      portMappings: container.PortMappings.map(({ ContainerPort }) => ({
        containerPort: ContainerPort,
      })),
      environment: Object.fromEntries(container.Environment.map(({ Name, Value }) => [Name, Value])),
      logging: new ecs.GenericLogDriver({
        logDriver: container.LogConfiguration.LogDriver,
        options,
      }),
    });
  }
}

for (const [id, { Type }] of Object.entries(Parameters)) {
  new CfnParameter(stack, id, { type: Type });
}
for (const [id, { Type, Properties }] of Object.entries(Resources)) {
  if (Type === 'AWS::ECS::TaskDefinition') {
    task(id, Properties);
  } else if (!id.startsWith('ExecutionRole')) {
    new CfnResource(stack, id, { type: Type, properties: Properties });
  }
}
stack.node.root.synth();
