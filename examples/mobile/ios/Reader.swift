// Not built here: see ../README.md.
import CoreGraphics
import ExecuTorch
import Foundation

/// What the model says about a patient of unknown age, and the scaled heat map of the target, row by row.
struct Answer {
    let probability: Float
    let positive, abstains, inside: Bool
    let map: [Float]
}

/// Reads radiographs with model.pte and client.json from the app's bundle. Not safe for use from several threads.
final class Reader {
    private struct Card: Decodable {
        struct Input: Decodable { let size_px: Int }
        struct Map: Decodable { let output: String; let index: Int }
        let file: String
        let outputs: [String]
        let input: Input
        let map: Map
    }

    enum Failure: Error { case missingFile(String), picture }

    private let card: Card
    private let module: Module

    init(bundle: Bundle = .main) throws {
        guard let description = bundle.url(forResource: "client", withExtension: "json") else { throw Failure.missingFile("client.json") }
        card = try JSONDecoder().decode(Card.self, from: Data(contentsOf: description))
        guard let file = bundle.path(forResource: card.file, ofType: nil) else { throw Failure.missingFile(card.file) }
        module = Module(filePath: file)
        try module.load("forward")
    }

    /// Reads a picture whose grey levels are as displayed: air dark, the patient's right on the left.
    func read(_ picture: CGImage) throws -> Answer {
        let edge = card.input.size_px
        let image = Tensor<Float>(try pixels(picture), shape: [1, 1, edge, edge])
        let outputs = try module.forward(image)
        func values(_ name: String) throws -> [Float] {
            guard let k = card.outputs.firstIndex(of: name), let tensor: Tensor<Float> = outputs[k].tensor() else {
                throw Failure.missingFile(name)
            }
            return tensor.scalars()
        }
        let maps = try values(card.map.output)
        let cells = maps.count / 2 // of two classes
        // The last column is the one for a patient of unknown age.
        return Answer(
            probability: try values("probability").last ?? .nan,
            positive: try values("decision").last == 1,
            abstains: try values("abstains").last == 1,
            inside: try values("inside_domain").last == 1,
            map: Array(maps[card.map.index * cells ..< (card.map.index + 1) * cells])
        )
    }

    private func pixels(_ picture: CGImage) throws -> [Float] {
        let edge = card.input.size_px
        var grey = [UInt8](repeating: 0, count: edge * edge)
        let drawn = grey.withUnsafeMutableBytes { bytes -> Bool in
            guard let context = CGContext(
                data: bytes.baseAddress, width: edge, height: edge, bitsPerComponent: 8, bytesPerRow: edge,
                space: CGColorSpaceCreateDeviceGray(), bitmapInfo: CGImageAlphaInfo.none.rawValue
            ) else { return false }
            context.interpolationQuality = .high
            context.draw(picture, in: CGRect(x: 0, y: 0, width: edge, height: edge))
            return true
        }
        guard drawn else { throw Failure.picture }
        return grey.map { Float($0) / 255 }
    }
}
